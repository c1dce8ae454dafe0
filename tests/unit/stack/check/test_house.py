"""What only the checkout promises: a running system may hold addresses, and an operator may say nothing."""

import pytest

from tests.support.broken import Slip, assert_found, found_in

SMS, PUBSUB = "components/embedded/sms.yaml", "components/embedded/pubsub.yaml"
SLIPS = [
    Slip(SMS, "# Text", "\n# Text", "no word of what it is for; begin it with a comment", at="apiVersion"),
    Slip(SMS, "envRef: SIDECART_SMS_URL", "value: http://10.0.0.7/", "http://10.0.0.7/ is an address of one machine"),
    Slip(SMS, "envRef: SIDECART_SMS_URL", "value: http://localhost/", "http://localhost/ is an address of one machine"),
    Slip(PUBSUB, "envRef: SIDECART_VALKEY_ADDRESS", 'value: "redis:6379"', "redis:6379 is an address of one machine"),
    Slip(
        PUBSUB,
        "secretKeyRef: {name: valkey-password, key: valkey-password}",
        "value: geheim",
        "redisPassword is in clear",
    ),
    Slip(
        SMS,
        "secretKeyRef: {name: sms-token, key: sms-token}",
        "value: geheim",
        "securityToken is in clear; put it into",
    ),
    Slip(
        "components/embedded/card-processor.yaml",
        "${SIDECART_CARD_PROCESSOR_URL}",
        "http://127.0.0.1:8030",
        "write ${SIDECART_",
    ),
    Slip(
        "resiliency/email-policies.yaml",
        "        # How long a mail server gets to come back before the probe.\n",
        "",
        "no reason for timeout: 15s",
        at="timeout: 15s",
    ),
    Slip(
        "resiliency/order-details-policies.yaml",
        "{timeout: order-details-call, retry",
        "{retry",
        "no target of this file uses order-details-call",
        at="order-details-call: 3s",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_broken_promise_of_the_checkout_is_found_on_its_line(slip: Slip) -> None:
    assert_found(slip)
    assert found_in(slip, is_ours=False) == []


def test_a_name_that_is_not_the_files_is_found() -> None:
    told = found_in(Slip("components/embedded/undelivered.yaml", "name: undelivered", "name: lost", ""))
    assert "undelivered.yaml:5: metadata.name is lost, the file's undelivered; call the file lost.yaml" in "".join(told)


def test_a_component_for_everybody_is_found() -> None:
    told = found_in(Slip("components/embedded/undelivered.yaml", "scopes: [notifications]\n", "", ""))
    assert "undelivered.yaml:2: no scopes: every sidecar would load it" in "".join(told)
