from collections.abc import Mapping
from dataclasses import dataclass

from stack.stand_ins.card_processor.book import Book, Json
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.card_processor.forms import Form
from stack.stand_ins.faults import NONE, Faults


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, inside its transaction."""

    book: Book
    events: Events
    form: Form
    path: Mapping[str, str]
    origin: str
    hit: Faults = NONE
    idempotency_key: str | None = None

    def emit(self, kind: str, thing: Json) -> None:
        """Tell the endpoints what happened."""
        self.events.emit(kind, thing, self.hit, self.idempotency_key)

    def page(self, kind: str, parent: str | None = None) -> tuple[list[Json], bool]:
        """Return the objects that the list parameters ask for, and whether there are more."""
        return self.book.listed(
            kind,
            limit=self.form.integer("limit", 1, 100) or 10,
            parent=parent,
            created=self.form.bounds("created"),
            after=self.form.text("starting_after"),
            before=self.form.text("ending_before"),
        )
