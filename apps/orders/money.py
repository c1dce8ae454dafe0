"""What an order knows of its money, by sums that only grow: the larger is the later, however facts arrive."""

from dataclasses import dataclass

from apps.orders.states import PaymentStatus, Standing, Trigger


@dataclass(slots=True)
class Purse:
    """Sums in minor units, of the order's currency."""

    captured: int = 0
    overpaid: int = 0
    """What was captured beyond the price of the time: payments returns it, so it pays for nothing dearer later."""
    authorised: int = 0
    refunded: int = 0
    returned: int = 0
    """What is to go back for goods that came back."""
    sequence: int = 0
    """Of the newest fact from payments; what is older says nothing about where the payment is."""

    def captures(self, so_far: int, total: int) -> bool:
        """Take that *so_far* was captured; tell whether that pays for all of an order that costs *total*."""
        self.captured = max(self.captured, so_far)
        return self.reprice(total)

    def reprice(self, total: int) -> bool:
        """Set aside what was captured beyond *total*; tell whether the rest pays for it."""
        self.overpaid = max(self.overpaid, self.captured - total)
        return self.captured - self.overpaid >= total

    def holds(self, standing: Standing, total: int) -> bool:
        """Tell whether an authorisation covers *total*."""
        return standing.payment is PaymentStatus.AUTHORISED and self.authorised >= total


def trigger_of_edit(standing: Standing, purse: Purse, before: int, total: int) -> Trigger:
    """Return what an edit from *before* to *total* does to the payment."""
    covered = purse.reprice(total)
    if before == total or purse.holds(standing, total):
        return Trigger.EDITED
    # nothing captured covers nothing: an order whose price falls to zero still waits for payments to say so
    return Trigger.EDITED_TO_COVER if covered and purse.captured else Trigger.EDITED_TO_OWE


def trigger_of_refund(standing: Standing, purse: Purse, total: int, *, stands: bool) -> Trigger:
    """Return what a refund does; *stands* tells whether the order is still to be paid for."""
    paid = purse.captured or total
    if purse.refunded >= paid:
        return Trigger.PAYMENT_REFUNDED
    owing = standing.payment in {PaymentStatus.PENDING, PaymentStatus.DECLINED, PaymentStatus.UNKNOWN}
    if stands and owing and purse.captured:
        return Trigger.REFUND_NOTED
    return Trigger.PAYMENT_PARTLY_REFUNDED
