"""Which processor takes which money: a file of routes that is read again when it changes.

[[route]]                    # the first that fits makes the attempt, the next that fits is turned to
provider = "checkout-com"    # where it could not be made for a reason of the processor's own
currencies = ["CHF", "GBP"]  # all, where left out
share = 0.2                  # of the payments, 1 where left out
capture = "manual"           # as PAYMENTS_CAPTURE says, where left out
"""

import asyncio
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.chassis.settings import MisconfiguredError
from apps.chassis.telemetry import log
from apps.contracts.base import CurrencyCode
from apps.payments import methods, terms
from apps.payments.terms import Terms

_EVERY_S: Final = 1.0
_BITS: Final = 62
Capture = Literal["automatic", "manual"]


class Route(BaseModel):
    """One way for money to be taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    currencies: frozenset[CurrencyCode] | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    capture: Capture | None = None

    def fits(self, currency: str, method: str, failed: Collection[str]) -> bool:
        """Tell whether a payment in *currency* by *method* may go this way."""
        open_to_it = self.provider not in failed and methods.token_for(self.provider, method) is not None
        return open_to_it and (self.currencies is None or currency in self.currencies)


class Routes(BaseModel):
    """The file's content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: tuple[Route, ...] = ()


class Routing:
    """Chooses by the routes in force; without any, everything goes to the first provider."""

    def __init__(self, file: Path | None, capture: Capture, providers: Collection[str]) -> None:
        self._file = file
        self._capture = capture
        self._providers = providers
        self._routes: tuple[Route, ...] = ()
        self._stamp: tuple[int, int] | None = None

    def choose(self, currency: str, payment_id: UUID, method: str, failed: frozenset[str]) -> Terms:
        """Return the terms of a payment's next attempt; a payment falls into the same share each time."""
        fitting = [route for route in self._routes if route.fits(currency, method, failed)]
        lot = (payment_id.int & ((1 << _BITS) - 1)) / (1 << _BITS)
        route = next((each for each in fitting if lot < each.share), None)
        # one that has failed elsewhere goes wherever it still can
        route = route or (fitting[0] if failed and fitting else None)
        if route is None:
            return Terms(self._usual(method), self._capture == "manual")
        return Terms(route.provider, (route.capture or self._capture) == "manual")

    def _usual(self, method: str) -> str:
        """Return who takes what no route is meant for: the first provider that knows the method, or the first."""
        knowing = (each for each in self._providers if methods.token_for(each, method) is not None)
        return next(knowing, next(iter(self._providers)))

    def load(self) -> bool:
        """Read the file if it changed; raise MisconfiguredError for a wrong one, and keep what was in force."""
        stamp = self._now()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self._routes = self._read() if stamp else ()
        return True

    async def follow(self) -> None:
        """Keep up with the file until cancelled."""
        terms.use(self.choose)
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                if self.load():
                    log.info("routes_loaded", count=len(self._routes))
            except MisconfiguredError as error:
                log.error("routes_refused", reason=str(error))

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat() if self._file else None
        except FileNotFoundError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None

    def _read(self) -> tuple[Route, ...]:
        try:
            routes = Routes.model_validate(tomllib.loads((self._file or Path()).read_text())).route
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise MisconfiguredError(f"{self._file}: {error}") from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise MisconfiguredError(f"{self._file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if unknown := {route.provider for route in routes} - set(self._providers):
            known = ", ".join(self._providers)
            raise MisconfiguredError(f"{self._file}: no provider {', '.join(sorted(unknown))}; there are {known}")
        return routes
