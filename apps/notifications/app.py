from apps.chassis.app import Chassis, Service
from apps.chassis.codec import Codec
from apps.chassis.sidecar import Sidecar
from apps.notifications.gauges import GAUGES
from apps.notifications.jobs import jobs
from apps.notifications.office import Office, feed, keep, open_office, send
from apps.notifications.problems import PROBLEMS
from apps.notifications.routes import router
from apps.notifications.sealing import SECRET, Sealer
from apps.notifications.settings import Settings
from apps.notifications.staff_routes import router as staff_router
from apps.notifications.subscriptions import handlers, intake


async def _codec(sidecar: Sidecar) -> Codec:
    """Seal what security mails say, and the chassis' tables: a dead letter may hold a token as well."""
    return Sealer.from_secret(await sidecar.secret(SECRET))


async def prepare(chassis: Chassis) -> Office:
    """Open the office."""
    return await open_office(chassis, intake)


SERVICE = Service(
    name="notifications",
    settings=Settings,
    routers=[router, staff_router],
    handlers=handlers,
    jobs=jobs,
    problems=PROBLEMS,
    codec=_codec,
    prepare=prepare,
    background=[send, feed, keep],
    gauges=GAUGES,
)
