from apps.chassis.app import Service
from apps.orders import details, jobs, routes, running
from apps.orders.gauges import GAUGES
from apps.orders.problems import PROBLEMS
from apps.orders.settings import OrdersSettings
from apps.orders.subscriptions import handlers

SERVICE = Service(
    name="orders",
    settings=OrdersSettings,
    routers=[routes.products, routes.quotes, routes.orders, routes.questions],
    handlers=handlers,
    jobs=jobs.jobs,
    problems=PROBLEMS,
    prepare=running.begin,
    background=[running.watch_replica, running.watch_orders],
    gauges=GAUGES,
    document_keys={details.STORE: details.KEYS},
)
