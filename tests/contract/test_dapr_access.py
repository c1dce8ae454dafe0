import pytest

from tests.support.documents import SERVICES, configuration
from tests.support.doors import CALLERS, ID, VERBS, declared_callers, may, plain
from tests.support.services import Route, routes

EVERYWHERE = f"""
GET /healthz | GET /readyz | GET /openapi.json | GET /dead-letters | GET /dead-letters/{ID} | DELETE /dead-letters/{ID}
POST /dead-letters/{ID}/redeliver
"""
PUBLIC = {
    "users": f"""
POST /users | POST /users/verify-email | POST /sessions | POST /sessions/refresh | GET /sessions | DELETE /sessions
DELETE /sessions/{ID} | DELETE /sessions/current | GET /users/me | PATCH /users/me | DELETE /users/me
POST /users/me/password | POST /users/me/email | POST /users/me/totp | POST /users/me/totp/confirm
DELETE /users/me/totp | GET /users/me/export | POST /password-resets | POST /password-resets/confirm | GET /users
GET /users/{ID} | PUT /users/{ID}/roles | POST /users/{ID}/lock | POST /users/{ID}/unlock | GET /users/{ID}/audit
GET /.well-known/openid-configuration | GET /.well-known/jwks.json | POST /oauth2/token | POST /clients | GET /clients
POST /clients/{ID}/secrets | DELETE /clients/{ID} | POST /signing-keys
""",
    "orders": f"""
GET /products | GET /products/tea | PUT /products/tea | POST /products/tea/stock | POST /quotes | POST /orders
GET /orders | GET /orders/{ID} | PATCH /orders/{ID} | POST /orders/{ID}/cancel | GET /orders/{ID}/timeline
GET /orders/{ID}/events | POST /orders/{ID}/shipments | POST /orders/{ID}/shipments/{ID}/delivered
POST /orders/{ID}/returns
""",
    "payments": f"""
GET /payments | GET /payments/{ID} | POST /payments | POST /payments/{ID}/capture | POST /payments/{ID}/void
POST /payments/{ID}/refunds | POST /webhooks/stripe | GET /ledger/accounts | GET /ledger/entries
GET /reconciliations/2026-01-31 | POST /reconciliations/2026-01-31
""",
    "notifications": f"""
GET /preferences | PUT /preferences | GET /notifications | GET /unsubscribe | POST /unsubscribe | GET /undelivered
POST /undelivered/{ID}/redeliver | POST /undelivered/redeliver | DELETE /undelivered/{ID} | GET /templates
GET /templates/order-paid/email/de | PUT /templates/order-paid/email/de | POST /templates/order-paid/email/de/preview
POST /campaigns | GET /campaigns/{ID} | POST /campaigns/{ID}/pause | POST /campaigns/{ID}/resume
POST /campaigns/{ID}/cancel | POST /campaigns/{ID}/start | POST /campaigns/{ID}/recipients | GET /campaigns
GET /undelivered/{ID} | POST /receipts/mail-provider
""",
}
# callee -> its internal calls, each with those who may make it
INTERNAL = {
    "users": {"GET /internal/users/contact": {"notifications"}, "POST /internal/operator-tokens": set[str]()},
    "orders": {"GET /internal/orders/amount": {"payments"}},
    "payments": {"GET /internal/payments/state": {"orders"}},
    "notifications": {"POST /internal/notifications": {"users", "orders", "payments"}},
}
CLOSED = (
    "POST /events/order-placed",
    "POST /events/dead-letters",
    "POST /jobs/every-10s",
    "GET /internal",
    "GET /internal/metrics",
    "POST /internal/operator/replay",
    "POST /internal/operator/signing-keys",
    "POST /internal/operator/lag",
    "POST /internal/operator/documents/copy",
    "POST /internal/operator/documents/hold",
)


def calls(text: str) -> list[tuple[str, str]]:
    """Split `GET /a | POST /b` into verbs and paths."""
    pairs = [call.split() for call in text.replace("\n", "|").split("|") if call.strip()]
    return [(verb, path) for verb, path in pairs]


EVERY_CALL = [(callee, *call) for callee, text in PUBLIC.items() for call in calls(text + EVERYWHERE)]


@pytest.mark.parametrize(("callee", "verb", "path"), EVERY_CALL)
def test_the_public_reaches_every_call_of_the_api(callee: str, verb: str, path: str) -> None:
    assert may("edge", callee, verb, path)
    assert may("partner", callee, verb, path)


@pytest.mark.parametrize(("callee", "verb", "path"), EVERY_CALL)
def test_services_do_not_use_the_public_api_of_one_another(callee: str, verb: str, path: str) -> None:
    reached = {caller for caller in (*SERVICES, "stranger") if may(caller, callee, verb, path)}
    keys = {"orders", "payments", "notifications"} if path.startswith("/.well-known/") else set()
    assert reached == keys


@pytest.mark.parametrize(
    ("callee", "call", "callers"),
    [(callee, *entry) for callee, entries in INTERNAL.items() for entry in entries.items()],
)
def test_internal_calls_are_for_those_who_need_them(callee: str, call: str, callers: set[str]) -> None:
    verb, path = call.split()
    assert {caller for caller in CALLERS if may(caller, callee, verb, path)} == callers


HIDDEN = [
    (callee, verb, path)
    for callee in SERVICES
    for verb, path in (call.split() for call in (*INTERNAL[callee], *CLOSED))
]


@pytest.mark.parametrize(("callee", "verb", "path"), EVERY_CALL + HIDDEN)
def test_the_example_of_a_fifth_service_reads_orders_and_nothing_else(callee: str, verb: str, path: str) -> None:
    below = callee == "orders" and verb == "GET" and path.split("/")[1] == "orders"
    assert may("loyalty", callee, verb, path) == below


EVERY_ROUTE = [pytest.param(name, route, id=f"{name} {route.path}") for name in SERVICES for route in routes(name)]


@pytest.mark.parametrize(("callee", "route"), EVERY_ROUTE)
def test_sidecars_admit_to_a_route_whom_its_code_admits(callee: str, route: Route) -> None:
    for verb in route.methods & set(VERBS):
        admitted = {caller for caller in CALLERS if may(caller, callee, verb, plain(route.path))}
        assert admitted == declared_callers(route), verb


@pytest.mark.parametrize("callee", SERVICES)
@pytest.mark.parametrize("call", CLOSED)
def test_what_only_the_own_sidecar_may_call_is_closed_to_all(callee: str, call: str) -> None:
    assert not any(may(caller, callee, *call.split()) for caller in CALLERS)


@pytest.mark.parametrize("callee", SERVICES)
def test_every_door_is_closed_by_default(callee: str) -> None:
    control = configuration(callee).spec["accessControl"]
    assert control["defaultAction"] == "deny"
    for policy in control["policies"]:
        # Sidecars get this domain whatever the configuration says; another name here would deny every call.
        assert (policy["defaultAction"], policy["trustDomain"], policy["namespace"]) == ("deny", "public", "default")


def test_the_edge_opens_invoke_alone_behind_its_guard() -> None:
    spec = configuration("edge").spec
    open_over_http = [rule["name"] for rule in spec["api"]["allowed"] if rule["protocol"] == "http"]
    assert open_over_http == ["invoke"]
    # With no rule at all for a protocol, everything of it is open.
    assert [rule["name"] for rule in spec["api"]["allowed"] if rule["protocol"] == "grpc"] == ["unlock"]
    limit, guard = spec["httpPipeline"]["handlers"]
    assert guard == {"name": "guard", "type": "middleware.http.opa"}
    # first, so that a flood does not cost what the guard costs
    assert limit == {"name": "rate-limit", "type": "middleware.http.ratelimit"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_own_secrets_only(service: str) -> None:
    (scope,) = configuration(service).spec["secrets"]["scopes"]
    assert (scope["storeName"], scope["defaultAccess"]) == ("secrets", "deny")
    own = (f"{service}-", "card-processor-") if service == "payments" else (f"{service}-",)
    assert all(key.startswith(own) and not key.endswith("-owner-url") for key in scope["allowedSecrets"])
