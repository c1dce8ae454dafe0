from dataclasses import dataclass, field

from apps.chassis.database import Database
from apps.users.audit import Months
from apps.users.keys import Signer
from apps.users.passwords import Passwords
from apps.users.sealing import Sealer
from apps.users.settings import UsersSettings


@dataclass(frozen=True, slots=True)
class Means:
    """What the use cases work with besides a transaction."""

    settings: UsersSettings
    database: Database
    passwords: Passwords
    signer: Signer
    sealer: Sealer
    months: Months = field(default_factory=Months)
