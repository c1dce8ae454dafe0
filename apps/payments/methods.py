"""A payment method as clients send it: the token of one processor, or of several joined by `-`.

Cards are turned into tokens by the processors' own scripts, and no processor knows another's. A client that wants its
payment to be taken by whichever processor is up makes a token with each and sends both, in any order.
"""

import re
from typing import Final

CHECKOUT: Final = "checkout-com"
# Ids of Checkout.com are 26 characters of base 32; everything else is Stripe's, as it always was.
_CHECKOUT: Final = re.compile(r"(tok|src)_[a-z2-7]{26}")


def token_for(provider: str, method: str) -> str | None:
    """Return what *provider* knows of *method*, or None where that is nothing."""
    parts = method.split("-")
    theirs = [part for part in parts if _CHECKOUT.fullmatch(part)]
    if provider == CHECKOUT:
        return theirs[0] if theirs else None
    others = "-".join(part for part in parts if part not in theirs)
    return others or None
