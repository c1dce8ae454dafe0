"""What the suite is run on: every profile, and every product alone in an otherwise embedded system."""

import os
from dataclasses import dataclass
from functools import cached_property

from stack import profiles
from stack.profiles import Variant
from stack.resources import DEFAULT_PROFILE
from stack.servers import resolver

# What a message goes by, and the stand-in that keeps it where a provider of the embedded profile carries it.
CHANNELS = {"email": "mailbox", "sms": "sms", "push": "push"}
# Two providers of one role each, in one column.
_TOGETHER = ("postmark", "apns")
_TOGETHER_WORDS = ("email=postmark", "push=apns")


@dataclass(frozen=True)
class Column:
    """What to swap to from the embedded profile; no word is that profile itself."""

    name: str
    words: tuple[str, ...]

    @cached_property
    def chosen(self) -> dict[str, Variant]:
        """Return what plays each role."""
        return profiles.chosen([DEFAULT_PROFILE, *self.words])

    @property
    def documents(self) -> str:
        """Return the product that keeps order documents."""
        return self.chosen["order-details"].type

    @property
    def records(self) -> dict[str, str]:
        """Return, for each stand-in that a provider takes the place of, the providers' own record of that channel."""
        return {keeps: f"/{role}" for role, keeps in CHANNELS.items() if self.chosen[role].profile != DEFAULT_PROFILE}

    @property
    def missing(self) -> str | None:
        """Say why it cannot run here."""
        servers = {
            server.name: server for it in self.chosen.values() for server in resolver.needed_by(it.path.read_text())
        }
        reasons = [
            f"{name}: {why}" for name, server in servers.items() if (why := resolver.missing(server)) is not None
        ]
        return "; ".join(reasons) or None


def columns() -> list[Column]:
    """Return the profiles and, between them, each role's every other product."""
    elsewhere = [it for it in profiles.variants() if it.profile != DEFAULT_PROFILE]
    # providers stand in columns of two, each with lanes of its own
    alone = {f"{it.role}={it.type}" for it in elsewhere if not it.type.startswith("bindings.")}
    named = [profile for profile in profiles.names() if profile not in {DEFAULT_PROFILE, *_TOGETHER}]
    others = [*(Column(profile, (profile,)) for profile in named), Column("+".join(_TOGETHER), _TOGETHER_WORDS)]
    mixed = Column("mixed", ("pubsub=kafka", "order-details=mongodb"))
    # a profile of one product is that product alone
    whole = [_types(it.words) for it in others]
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
