from collections.abc import Mapping

from apps.chassis.app import Chassis, Service
from apps.chassis.settings import MisconfiguredError
from apps.chassis.sidecar import Sidecar, SidecarError
from apps.chassis.telemetry import log
from apps.payments import terms
from apps.payments.books_routes import router as books_router
from apps.payments.checkout_provider import CheckoutProvider
from apps.payments.clients import Orders
from apps.payments.gauges import GAUGES
from apps.payments.jobs import jobs
from apps.payments.keys_routes import router as keys_router
from apps.payments.methods import CHECKOUT
from apps.payments.problems import PROBLEMS
from apps.payments.provider import Provider
from apps.payments.routes import questions, router, webhooks
from apps.payments.routing import Routing
from apps.payments.sealing import Vault, vault_from
from apps.payments.settings import PaymentsSettings
from apps.payments.stripe_provider import StripeProvider
from apps.payments.subscriptions import handlers
from apps.payments.worker import Worker


async def _vault(sidecar: Sidecar) -> Vault:
    return vault_from(await sidecar.secret("payments-keks"), await sidecar.secret("payments-blind-index-key"))


async def _providers(chassis: Chassis) -> Mapping[str, Provider]:
    settings: PaymentsSettings = chassis.settings
    providers: dict[str, Provider] = {"stripe": await _stripe(chassis, settings.return_url)}
    if second := await _checkout(chassis, settings.return_url):
        providers[CHECKOUT] = second
    # a wrong file ends the process here, once, rather than the loop that follows it
    terms.use(_routing(settings, providers).choose)
    return providers


def _routing(settings: PaymentsSettings, providers: Mapping[str, Provider]) -> Routing:
    routing = Routing(settings.routes, settings.capture, tuple(providers))
    routing.load()
    return routing


async def _route(chassis: Chassis) -> None:
    await _routing(chassis.settings, chassis.extra).follow()


async def _stripe(chassis: Chassis, return_url: str) -> Provider:
    key = await chassis.sidecar.secret("card-processor-key")
    if not key.startswith("sk_"):
        raise MisconfiguredError("secret card-processor-key must begin with sk_; correct it in the secret store")
    # several while one is replaced by the next, separated by commas
    secrets = (await chassis.sidecar.secret("card-processor-webhook-secret")).split(",")
    return StripeProvider(chassis.sidecar.endpoint("card-processor"), key, secrets, return_url)


async def _checkout(chassis: Chassis, return_url: str) -> Provider | None:
    """Return the second processor, or None for a shop that has no key for it."""
    try:
        key = await chassis.sidecar.secret("card-processor-2-key")
    except SidecarError as error:
        log.info("processor_left_out", provider=CHECKOUT, reason=str(error))
        return None
    secrets = (await chassis.sidecar.secret("card-processor-2-webhook-secret")).split(",")
    return CheckoutProvider(chassis.sidecar.endpoint("card-processor-2"), key, secrets, return_url)


async def _work(chassis: Chassis) -> None:
    settings: PaymentsSettings = chassis.settings
    worker = Worker(
        chassis.database,
        chassis.extra,
        Orders(chassis.sidecar).amount,
        concurrency=settings.concurrency,
        call_timeout=settings.call_timeout,
        lease=settings.lease,
        poll=settings.work_poll,
    )
    await worker.run()


SERVICE = Service(
    name="payments",
    settings=PaymentsSettings,
    routers=[router, webhooks, questions, books_router, keys_router],
    handlers=handlers,
    jobs=jobs,
    problems=PROBLEMS,
    codec=_vault,
    prepare=_providers,
    background=[_route, _work],
    gauges=GAUGES,
)
