from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, PrivateAttr

CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


class Money(BaseModel):
    """An amount in the currency's minor unit: 1999 EUR is 19.99 euro, 1999 JPY is 1999 yen."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[int, Field(ge=0, le=10**15, strict=True)]
    currency: CurrencyCode


class Event(BaseModel):
    """A fact, named in the past tense; additions keep `version`, and readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    pubsub: ClassVar[str] = "pubsub"
    aggregate: ClassVar[str]
    """Name of the field that identifies what the fact is about; facts of one aggregate share a partition."""

    version: Literal[1] = 1
    sequence: PositiveInt
    """Counts up per aggregate: brokers reorder, and this settles what came first."""

    _traceparent: str | None = PrivateAttr(default=None)
    _event_id: str | None = PrivateAttr(default=None)

    @property
    def key(self) -> str:
        """The aggregate's identity, as brokers with partitions want it."""
        return str(getattr(self, self.aggregate))

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that this fact arrived with."""
        return self._traceparent

    @property
    def event_id(self) -> str | None:
        """The id of the CloudEvent that brought this fact; None where no event did."""
        return self._event_id

    def arrived_as(self, event_id: str) -> None:
        """Remember the CloudEvent's id."""
        self._event_id = event_id

    def arrived_with(self, traceparent: str | None) -> None:
        """Remember the trace context of the delivery."""
        self._traceparent = traceparent
