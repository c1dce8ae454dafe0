import pytest

from stack.home import CHECKOUT
from tests.support.broken import Slip, assert_found, found_in

PAID = "dapr/subscriptions/notifications-order-paid.yaml"
DEAD = "deadLetterTopic: notifications-dead-letters"
SLIPS = [
    Slip(PAID, "pubsubname: pubsub", "pubsubname: pubsubs", "there is no component pubsubs; did you mean pubsub?"),
    Slip(PAID, "pubsubname: pubsub", "pubsubname: sms", "sms is a bindings.http, no broker; there are"),
    Slip(PAID, f"  {DEAD}\n", "", "no deadLetterTopic: what the sidecar gives up on is acknowledged", at="spec:"),
    Slip(PAID, DEAD, "deadLetterTopic: order-paid", "its dead letters come back to itself; name another topic"),
    Slip(
        PAID,
        DEAD,
        "deadLetterTopic: notification-dead-letters",
        "notifications does not read notification-dead-letters from pubsub: what lands there is lost; "
        "did you mean notifications-dead-letters?",
    ),
    Slip(PAID, "default: /events/order-paid", "defaults: /events/order-paid", "did you mean default?"),
    Slip(PAID, "    default: /events/order-paid\n", "    rules: []\n", "no default route", at="routes:"),
    Slip(
        PAID, "default: /events/order-paid", "default: events/order-paid", "the route is 'events/order-paid'; start it"
    ),
    Slip(PAID, "maxMessagesCount: 200", "maxMessagesCount: 0", "maxMessagesCount is 0; give 1 or more"),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_in_a_subscription_is_found_on_its_line(slip: Slip) -> None:
    assert_found(slip)


def test_a_broker_that_the_subscriber_does_not_load_is_found() -> None:
    slip = Slip("components/embedded/pubsub.yaml", "orders, payments, notifications]", "payments, notifications]", "")
    told = [
        each for each in found_in(slip) if "orders does not load pubsub; add orders to the scopes of pubsub" in each
    ]
    files = (CHECKOUT / "dapr/subscriptions").glob("orders-*.yaml")
    assert [each.rpartition("/")[2].partition(":")[0] for each in told] == sorted(path.name for path in files)


def test_dead_letters_that_nobody_reads_are_found_at_every_subscription_that_sends_some() -> None:
    slip = Slip("dapr/subscriptions/payments-dead-letters.yaml", "topic: payments-", "topic: payment-", "")
    told = found_in(slip)
    assert any(":12: payments does not read payments-dead-letters from pubsub" in each for each in told)
    assert "payments-dead-letters.yaml:6: no deadLetterTopic" in "".join(told)


def test_dead_letters_are_read_from_the_broker_they_go_to() -> None:
    file = "dapr/subscriptions/notifications-dead-letters-of-notification-queue.yaml"
    told = found_in(Slip(file, "pubsubname: notification-queue", "pubsubname: pubsub", ""))
    assert (
        len([each for each in told if "does not read notifications-dead-letters from notification-queue" in each]) == 3
    )
