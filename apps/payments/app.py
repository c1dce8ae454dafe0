from apps.chassis.app import Chassis, Service
from apps.chassis.settings import MisconfiguredError
from apps.chassis.sidecar import Sidecar
from apps.payments.clients import Orders
from apps.payments.problems import PROBLEMS
from apps.payments.provider import Provider
from apps.payments.routes import questions, router, webhooks
from apps.payments.sealing import Vault, vault_from
from apps.payments.settings import PaymentsSettings
from apps.payments.stripe_provider import StripeProvider
from apps.payments.subscriptions import handlers
from apps.payments.worker import Worker


async def _vault(sidecar: Sidecar) -> Vault:
    return vault_from(await sidecar.secret("payments-keks"), await sidecar.secret("payments-blind-index-key"))


async def _provider(chassis: Chassis) -> Provider:
    key = await chassis.sidecar.secret("card-processor-key")
    if not key.startswith("sk_"):
        raise MisconfiguredError("secret card-processor-key must begin with sk_; correct it in the secret store")
    webhook_secret = await chassis.sidecar.secret("card-processor-webhook-secret")
    return StripeProvider(chassis.sidecar.endpoint("card-processor"), key, webhook_secret)


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
    routers=[router, webhooks, questions],
    handlers=handlers,
    problems=PROBLEMS,
    codec=_vault,
    prepare=_provider,
    background=[_work],
)
