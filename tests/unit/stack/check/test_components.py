import pytest

from stack.home import CHECKOUT
from tests.support.broken import Slip, assert_found, found_in, sound

PUBSUB, SMS = "components/embedded/pubsub.yaml", "components/embedded/sms.yaml"
STORE, MAIL = "components/embedded/order-details.yaml", "components/embedded/email.yaml"
REFERENCE = "{name: sms-token, key: sms-token}"
SLIPS = [
    Slip(
        PUBSUB,
        "pubsub.redis\n",
        "pubsub.rediss\n",
        "pubsub.rediss is no type that Dapr has; did you mean pubsub.redis?",
    ),
    Slip(
        STORE,
        "  metadata:\n",
        "  initTimeout: 5\n  metadata:\n",
        "spec.initTimeout is 5; it must be a text",
        at="initT",
    ),
    Slip(STORE, "  metadata:\n", "  initTimeout: 5 s\n  metadata:\n", "initTimeout is '5 s'; write a dur", at="initT"),
    Slip(STORE, "version: v2", "version: v3", "state.postgresql has no version v3; there are v1, v2"),
    Slip(PUBSUB, 'value: "256"', 'value: "many"', "concurrency is 'many'; write a number"),
    Slip(PUBSUB, "value: 48h", "value: 2d", "streamTTL is '2d'; write a duration"),
    Slip(
        PUBSUB,
        "name: streamTTL",
        "name: streamTLL",
        "streamTLL is no field that pubsub.redis documents; did you mean streamTTL?",
    ),
    Slip(
        PUBSUB,
        "    - name: streamTTL\n      value: 48h\n",
        "    - name: enableTLS\n      value: ture\n",
        "enableTLS is 'ture'; write true or false",
        at="value: ture",
    ),
    Slip(
        PUBSUB,
        "- name: redisHost\n      envRef: SIDECART_VALKEY_ADDRESS\n    ",
        "",
        "pubsub.redis needs the field redisHost; add it",
        at="  metadata:",
    ),
    Slip(
        SMS,
        "- name: url\n",
        "- name: url\n      value: x\n",
        "url has value and envRef; give it one of",
        at="- name: url",
    ),
    Slip(SMS, "      value: 10s\n", "", "responseTimeout has no value; give it one of", at="- name: responseTimeout"),
    Slip(
        SMS,
        "- name: responseTimeout\n      value: 10s\n",
        "- name: URL\n      value: x\n",
        "URL stands twice",
        at="- name: URL",
    ),
    Slip(
        SMS,
        "name: securityTokenHeader\n      value: Authorization",
        "name: MTLSRenegotiation\n      value: Never",
        "MTLSRenegotiation is 'Never'; there are RenegotiateFreelyAsClient, ",
        at="value: Never",
    ),
    Slip(
        SMS,
        "name: securityTokenHeader\n      value: Authorization",
        "name: maxResponseBodySize\n      value: 4 MB",
        "write a size",
        at="value: 4 MB",
    ),
    Slip(
        SMS,
        "SIDECART_SMS_URL",
        "SIDECART_SMS_ULR",
        "no sidecar is told 'SIDECART_SMS_ULR'; did you mean SIDECART_SMS_URL?",
    ),
    Slip(SMS, REFERENCE, "{name: smstoken, key: smstoken}", "there is no secret smstoken; did you mean sms-token?"),
    Slip(SMS, REFERENCE, "{name: sms-token, key: sms-tok}", "there is no secret sms-tok; did you mean sms-token?"),
    Slip(
        SMS, "auth:\n  secretStore: secrets\n", "", "no auth.secretStore says where secrets are; add it", at=REFERENCE
    ),
    Slip(SMS, "secretStore: secrets", "secretStore: secret", "secret is no secret store; did you mean secrets?"),
    Slip(
        SMS, "secretStore: secrets", "secretStore: sms", "sms is no secret store; there are secrets", at="secretStore"
    ),
    Slip(
        PUBSUB,
        "orders=order-placed",
        "odrers=order-placed",
        "odrers is no app-id; did you mean orders?",
        at='value: "\\',
    ),
    Slip(PUBSUB, "orders=order-placed", "orders:order-placed", "is no rule; write app-id=topic", at='value: "\\'),
    Slip(
        "components/embedded/card-processor.yaml",
        "spec:\n",
        "spec:\n  clientTLS: {renegotiation: Nevr}\n",
        'renegotiation is "Nevr"; did you mean Never?',
        at="Nevr",
    ),
    Slip(
        MAIL,
        "scopes: [notifications]",
        "scopes: [notification]",
        "notification is no app-id; did you mean notifications?",
    ),
    Slip(
        "components/embedded/card-processor.yaml",
        "${SIDECART_CARD_PROCESSOR_URL}",
        "api.stripe.com",
        "baseUrl is 'api.stripe.com'; start it with http",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_in_a_component_is_found_on_its_line(slip: Slip) -> None:
    if slip.wrong == "scopes: [notification]":
        # Its policies reach nobody then.
        told = found_in(slip)
        assert f"email.yaml:{slip.line()}: {slip.said}" in "".join(told)
        assert len(told) == 2
        return
    assert_found(slip)


def test_a_field_that_dapr_does_not_document_can_be_let_be() -> None:
    line = "    - name: fooBar # undocumented: seen in its source\n      value: x\n"
    assert found_in(Slip(PUBSUB, "    - name: streamTTL\n", line + "    - name: streamTTL\n", "")) == []


def test_names_of_fields_are_read_as_sidecars_read_them() -> None:
    assert found_in(Slip(PUBSUB, "name: redisHost", "name: RedisHost", "")) == []


def test_what_upstream_wrongly_calls_required_may_come_with_the_request() -> None:
    assert found_in(Slip(MAIL, "    - name: emailFrom\n      value: shop@sidecart.example\n", "", "")) == []


def test_a_secret_store_that_a_user_of_the_component_does_not_load_is_found() -> None:
    told = found_in(Slip("components/embedded/secrets.yaml", "scopes: [users, ", "scopes: [", ""), is_ours=False)
    line = sound()[CHECKOUT / PUBSUB].splitlines().index("  secretStore: secrets") + 1
    said = f"pubsub.yaml:{line}: users does not load secrets; add users to the scopes of secrets.yaml"
    assert any(said in it for it in told)
