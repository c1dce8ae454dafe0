import pytest

from tests.support.broken import Slip, assert_found

EDGE, ORDERS = "dapr/config/edge.yaml", "dapr/config/orders.yaml"
CANCEL = "{name: /orders/**/cancel, httpVerb: [POST], action: allow}"
SLIPS = [
    Slip(ORDERS, "  accessControl:", "  accesControl:", "did you mean accessControl?"),
    Slip(
        ORDERS,
        "    defaultAction: deny\n",
        "    defaultAction: denied\n",
        "defaultAction is 'denied'; there are allow, deny",
    ),
    Slip(ORDERS, "        defaultAction: deny\n", "        defaultAction: dany\n", "defaultAction is 'dany'"),
    Slip(ORDERS, CANCEL, CANCEL.replace("allow", "alow"), "action is 'alow'; did you mean allow?"),
    Slip(ORDERS, CANCEL, CANCEL.replace("[POST]", "[PSOT]"), "httpVerb is 'PSOT'; did you mean POST?"),
    Slip(ORDERS, "appId: payments", "appId: payment", "payment is no app-id; did you mean payments?"),
    Slip(ORDERS, "storeName: secrets", "storeName: secret", "secret is no secret store; did you mean secrets?"),
    Slip(ORDERS, "defaultAccess: deny", "defaultAccess: denny", "defaultAccess is 'denny'; did you mean deny?"),
    Slip(ORDERS, "[orders-database-url]", "[orders-database]", "there is no secret orders-database; did you mean"),
    Slip(ORDERS, "component: sqlite", "component: sqllite", "sqllite resolves no names; did you mean sqlite?"),
    Slip(ORDERS, "- name: HotReload", "- name: Hotreload", "name is 'Hotreload'; did you mean HotReload?"),
    Slip(EDGE, "{name: invoke, v", "{name: invok, v", "name is 'invok'; did you mean invoke?"),
    Slip(EDGE, "protocol: http}", "protocol: https}", "protocol is 'https'; did you mean http?"),
    Slip(EDGE, "{name: guard, t", "{name: gaurd, t", "there is no component gaurd; did you mean guard?"),
    Slip(EDGE, "type: middleware.http.opa", "type: middleware.http.oauth2", "guard is a middleware.http.opa, not a"),
    Slip(
        ORDERS,
        "  nameResolution:",
        "  httpPipeline:\n    handlers: [{name: guard, type: middleware.http.opa}]\n  nameResolution:",
        "orders does not load guard; add orders to the scopes of guard.yaml",
        at="handlers:",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_in_a_configuration_is_found_on_its_line(slip: Slip) -> None:
    assert_found(slip)
