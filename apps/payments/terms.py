"""On which terms a new attempt is made; handlers see a transaction and no settings, so they ask here."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Terms:
    """Who takes the money, and whether it is only held at first."""

    provider: str = "stripe"
    manual: bool = False


Choose = Callable[[str, UUID, str, frozenset[str]], Terms]
"""By currency, payment, its method and the providers that have failed it: the terms of its next attempt."""


def _plain(_currency: str, _payment_id: UUID, _method: str, _failed: frozenset[str]) -> Terms:
    return Terms()


_choose: Choose = _plain


def use(choose: Choose | None) -> None:
    """Have *choose* decide from now on; None restores the terms of a service that was told nothing."""
    global _choose  # noqa: PLW0603  # the one switch of this module
    _choose = choose or _plain


def choose(currency: str, payment_id: UUID, method: str, failed: frozenset[str] = frozenset()) -> Terms:
    """Return the terms for one attempt."""
    return _choose(currency, payment_id, method, failed)
