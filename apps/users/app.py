from apps.chassis.app import Chassis, Service
from apps.chassis.codec import Codec
from apps.chassis.sidecar import Sidecar
from apps.chassis.tokens import KeySource
from apps.users.keys import open_signer
from apps.users.passwords import Passwords
from apps.users.problems import PROBLEMS
from apps.users.routes import router
from apps.users.sealing import SECRET, Sealer
from apps.users.settings import UsersSettings
from apps.users.use_cases import Means


async def _codec(sidecar: Sidecar) -> Codec:
    """Seal what the outbox holds: the tokens of mails stand in no database in clear.

    They do cross the broker as they are. Its stream keeps them for 48 hours and until something new comes after that,
    its append-only file until it is next rewritten.
    """
    return Sealer.from_secret(await sidecar.secret(SECRET))


async def _prepare(chassis: Chassis) -> Means:
    """Open the signing keys before the first request; a wrong secret ends the start here."""
    settings: UsersSettings = chassis.settings
    async with chassis.database.transaction() as tx:
        signer = await open_signer(tx, chassis.codec, settings.token_issuer)
    return Means(settings, chassis.database, Passwords(settings.password_workers), signer)


def _own_keys(chassis: Chassis) -> KeySource:
    means: Means = chassis.extra
    return means.signer.key_source


SERVICE = Service(
    name="users",
    settings=UsersSettings,
    routers=[router],
    problems=PROBLEMS,
    codec=_codec,
    prepare=_prepare,
    key_source=_own_keys,
)
