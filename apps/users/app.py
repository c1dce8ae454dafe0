from apps.chassis.app import Chassis, Service
from apps.chassis.codec import Codec
from apps.chassis.sidecar import Sidecar
from apps.chassis.tokens import Jwk, KeySource
from apps.users import admin_routes, first_admin, rotation, routes, token_routes
from apps.users.jobs import jobs
from apps.users.keys import open_signer
from apps.users.means import Means
from apps.users.passwords import Passwords
from apps.users.problems import PROBLEMS
from apps.users.sealing import SECRET, Sealer
from apps.users.settings import UsersSettings


async def _codec(sidecar: Sidecar) -> Codec:
    """Seal what the outbox holds: the tokens of mails stand in no database in clear.

    They do cross the broker as they are. Its stream keeps them for 48 hours and until something new comes after that,
    its append-only file until it is next rewritten.
    """
    return Sealer.from_secret(await sidecar.secret(SECRET))


async def _prepare(chassis: Chassis) -> Means:
    """Open the signing keys before the first request; a wrong secret ends the start here."""
    settings: UsersSettings = chassis.settings
    sealer = chassis.codec
    if not isinstance(sealer, Sealer):
        raise TypeError("users seals with its own key")
    async with chassis.database.transaction() as tx:
        signer = await open_signer(tx, sealer, settings.token_issuer)
    means = Means(settings, chassis.database, Passwords(settings.password_workers), signer, sealer)
    # the system may have been off for months
    await means.months.see_to(chassis.database, settings.audit_retention)
    await first_admin.ensure(means, chassis.sidecar)
    return means


def _own_keys(chassis: Chassis) -> KeySource:
    async def ask() -> list[Jwk]:
        return await rotation.reload(chassis.extra)

    return ask


SERVICE = Service(
    name="users",
    settings=UsersSettings,
    # a path that names something goes before one that takes an id in its place
    routers=[routes.router, token_routes.router, admin_routes.router],
    jobs=jobs,
    problems=PROBLEMS,
    codec=_codec,
    prepare=_prepare,
    key_source=_own_keys,
    scope="profile",
)
