"""What the suite is run on: every profile, and every product alone in an otherwise embedded system."""

import os
from dataclasses import dataclass

from stack import profiles
from stack.resources import DEFAULT_PROFILE
from stack.servers import resolver


@dataclass(frozen=True)
class Column:
    """What to swap to from the embedded profile; no word is that profile itself."""

    name: str
    words: tuple[str, ...]

    @property
    def documents(self) -> str:
        """Return the product that keeps order documents."""
        return profiles.chosen([DEFAULT_PROFILE, *self.words])["order-details"].type

    @property
    def missing(self) -> str | None:
        """Say why it cannot run here."""
        chosen = profiles.chosen([DEFAULT_PROFILE, *self.words])
        servers = {server.name: server for it in chosen.values() for server in resolver.needed_by(it.path.read_text())}
        reasons = [
            f"{name}: {why}" for name, server in servers.items() if (why := resolver.missing(server)) is not None
        ]
        return "; ".join(reasons) or None


def columns() -> list[Column]:
    """Return the profiles and, between them, each role's every other product."""
    alone = {f"{it.role}={it.type}" for it in profiles.variants() if it.profile != DEFAULT_PROFILE}
    others = [Column(profile, (profile,)) for profile in profiles.names() if profile != DEFAULT_PROFILE]
    mixed = Column("mixed", ("pubsub=kafka", "order-details=mongodb"))
    # a profile of one product is that product alone
    whole = [_types((it.name,)) for it in others]
    single = [Column(word, (word,)) for word in sorted(alone) if _types((word,)) not in whole]
    found = [Column(DEFAULT_PROFILE, ()), *single, *others, mixed]
    # documents move when their store changes, which takes a minute: as seldom as possible
    return sorted(found, key=lambda column: column.documents, reverse=True)


def _types(words: tuple[str, ...]) -> dict[str, str]:
    return {role: it.type for role, it in profiles.chosen([DEFAULT_PROFILE, *words]).items()}


def expected() -> set[str]:
    """Return the columns that must not be missing on this machine: `SIDECART_MATRIX_EXPECT=all`, or their names."""
    names = os.environ.get("SIDECART_MATRIX_EXPECT", "").split()
    return {column.name for column in columns()} if names == ["all"] else set(names)
