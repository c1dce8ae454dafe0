"""How what is recorded here tells this process' worker: handlers see a transaction and no worker."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import afterwards

_sleepers: set[Callable[[], None]] = set()


def register(wake: Callable[[], None]) -> None:
    """Call *wake* whenever there may be work."""
    _sleepers.add(wake)


def unregister(wake: Callable[[], None]) -> None:
    """Stop calling *wake*."""
    _sleepers.discard(wake)


def wake_after(tx: AsyncSession) -> None:
    """Wake the worker once *tx* has committed; a wake-up that is lost costs one poll."""
    afterwards(tx, _wake)


def _wake() -> None:
    for wake in _sleepers:
        wake()
