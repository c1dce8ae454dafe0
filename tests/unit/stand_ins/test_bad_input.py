from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.stand_ins import StandIn

pytestmark = pytest.mark.enable_socket

KEY = {"Authorization": "Bearer sk_test_tests"}
PATHS = [
    "/v1/payment_intents", "/v1/payment_intents/search", "/v1/payment_intents/pi_x", "/v1/payment_intents/pi_x/capture",
    "/v1/refunds", "/v1/webhook_endpoints", "/v1/events", "/v1/charges", "/authenticate/pi_x", "/no/such/path",
]  # fmt: skip
NAMES = st.sampled_from([
    "amount", "currency", "payment_method", "confirm", "metadata", "metadata[a]", "metadata[a][b]", "expand[]",
    "created", "created[gte]", "created[x]", "limit", "starting_after", "page", "query", "payment_intent", "charge",
    "url", "enabled_events[]", "[", "a[", "]", "amount[]", "client_secret", "",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["1", "-1", "eur", "true", "pm_card_visa", "data.latest_charge", "http://[", "metadata['a']:'b'"]),
    st.text(max_size=20),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(PATHS),
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    query=st.booleans(),
)
@example(method="POST", path="/authenticate/pi_x", fields=[("[", "1")], query=True)
def test_no_input_makes_the_processor_stumble(
    processor: StandIn, method: str, path: str, fields: list[tuple[str, str]], query: bool
) -> None:
    form = "&".join(f"{quote(name, safe='[]')}={quote(value)}" for name, value in fields)
    target, body = (f"{path}?{form}", None) if query else (path, form.encode())
    assert processor.call(method, target, body, KEY).status < 500


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(st.binary(max_size=50), st.sampled_from([b'{"to": 1, "message": 2}', b'""', b"{}", b'"\\ud800"']))
)
def test_no_body_makes_push_stumble(push: StandIn, body: bytes) -> None:
    push.call("POST", "/", body, {"X-To": "device"})
    answer = push.call("GET", "/messages?limit=1")
    assert answer.status == 200
    assert answer.json()["items"]
