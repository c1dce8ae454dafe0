import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.stand_ins import StandIn

pytestmark = pytest.mark.enable_socket

KEY = {"Authorization": "Bearer sk_test_tests"}
SECOND_KEY = {"Authorization": "Bearer sk_sbox_tests"}
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


SECOND_PATHS = [
    "/payments", "/payments/search", "/payments/pay_x", "/payments/pay_x/captures", "/payments/pay_x/actions",
    "/workflows", "/workflows/wf_x", "/3ds/pay_x", "/no/such/path",
]  # fmt: skip
DOCUMENTS = st.dictionaries(
    st.sampled_from([
        "amount", "currency", "source", "reference", "metadata", "capture", "3ds", "success_url", "from", "to", "limit",
        "actions", "query",
    ]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=10), st.lists(st.integers(), max_size=2),
        st.sampled_from(["EUR", "2026-01-01T00:00:00Z", {"token": f"tok_{'visa'.ljust(26, 'x')}"}, {"enabled": True}]),
        st.just([{"type": "webhook", "url": "http://["}]),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(SECOND_PATHS),
    document=st.one_of(DOCUMENTS, st.integers(), st.text(max_size=5)),
    query=st.sampled_from(
        ["", "?reference=r", "?limit=x", "?after=-1", "?secret=%FF", "?reference=r&limit=99999999999"]
    ),
)
def test_no_input_makes_the_second_processor_stumble(
    second_processor: StandIn, method: str, path: str, document: object, query: str
) -> None:
    assert second_processor.call(method, path + query, json.dumps(document).encode(), SECOND_KEY).status < 500


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(st.binary(max_size=50), st.sampled_from([b'{"to": 1, "message": 2}', b'""', b"{}", b'"\\ud800"']))
)
def test_no_body_makes_push_stumble(push: StandIn, body: bytes) -> None:
    push.call("POST", "/", body, {"X-To": "device"})
    answer = push.call("GET", "/messages?limit=1")
    assert answer.status == 200
    assert answer.json()["items"]
