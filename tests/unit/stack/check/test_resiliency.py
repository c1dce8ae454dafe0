import pytest

from stack.home import CHECKOUT
from tests.support.broken import Slip, assert_found, found_in, sound

CALLS, EDGE = "resiliency/services-policies.yaml", "resiliency/edge-policies.yaml"
QUEUE = "resiliency/notification-queue-policies.yaml"
MAIL = "resiliency/email-policies.yaml"
CARDS = "resiliency/card-processor-policies.yaml"
SLIPS = [
    Slip(CALLS, "services-call: 3s", "services-call: 3sec", "timeouts.services-call is '3sec'; write a duration"),
    Slip(CALLS, "duration: 200ms", "duration: 0.2 s", "retries.services-call.duration is '0.2 s'; write a duration"),
    Slip(CALLS, "timeout: 5s", "timeout: 5", "timeout is 5; it must be a text"),
    Slip(CALLS, "interval: 90s", "interval: 1d", "circuitBreakers.services-call.interval is '1d'; write a duration"),
    Slip(CALLS, "policy: constant", "policy: exponentiall", "policy is exponentiall; did you mean exponential?"),
    Slip(CALLS, '"429,500-599"', '"429, 500-599"', "httpStatusCodes has ' 500-599'; write codes and ranges"),
    Slip(CALLS, '"429,500-599"', '"429,599-500"', "httpStatusCodes has '599-500'"),
    Slip(CALLS, '"429,500-599"', '"5xx"', "httpStatusCodes has '5xx'"),
    Slip(CALLS, 'httpStatusCodes: "429,500-599"', 'gRPCStatusCodes: "14,500"', "gRPCStatusCodes has '500'"),
    Slip(CALLS, "trip: consecutiveFailures >= 20", "trip: consecutiveFails >= 20", "did you mean consecutiveFailures?"),
    Slip(CALLS, "trip: consecutiveFailures >= 20", "trip: consecutiveFailures = 20", "no condition; write one such as"),
    Slip(CALLS, "trip: consecutiveFailures >= 20", 'trip: "20"', "no condition; write one such as"),
    Slip(
        EDGE, "DefaultAppTimeoutPolicy", "DefaultAppTimoutPolicy", "is no default of Dapr's; did you mean DefaultAppTim"
    ),
    Slip(
        CARDS,
        "      card-processor: {",
        "      card-procesor: {",
        "card-procesor is no app-id and no HTTPEndpoint; did",
    ),
    Slip(EDGE, "      users: {", "      user: {", "user is no app-id and no HTTPEndpoint; did you mean users?"),
    Slip(MAIL, "      email-2:\n", "      email-3:\n", "email-3 is no component; did you mean email-2?"),
    Slip(
        MAIL, "timeout: email-send, c", "timeout: email-sent, c", "would have no policy email-sent among its timeouts"
    ),
    Slip(
        EDGE, "retry: edge-unreachable}", "retry: edge-call}", "edge would have no policy edge-call among its retries"
    ),
    Slip(CALLS, "        matching:\n", "        matchin:\n", "did you mean matching?"),
    Slip(EDGE, "scopes: [edge]", "scopes: [egde]", "egde is no app-id; did you mean edge?"),
    Slip(
        QUEUE,
        "scopes: [notifications]",
        "scopes: [orders]",
        "notification-queue is loaded by notifications only",
        at="      notification-queue:",
    ),
    Slip(
        QUEUE,
        "\nscopes: [notifications]",
        "\n",
        "no scopes: an edit would restart every sidecar's runtime",
        at="apiVersion",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_in_a_policy_is_found_on_its_line(slip: Slip) -> None:
    if slip.wrong == "\n":
        # Without scopes it is not wrong only for that: see `found_in`.
        assert f"{slip.path()}:{slip.line()}: {slip.said}" in "\n".join(found_in(slip))
        return
    assert_found(slip)


def test_calls_are_not_repeated_whatever_the_answer_was() -> None:
    text = "matching:\n          # What may pass by itself. Every other 4xx is an answer and would be the same again.\n"
    text += '          httpStatusCodes: "429,500-599"'
    told = found_in(Slip(CALLS, text, "", ""))
    assert len(told) == 1
    assert "services-policies.yaml:12: apps are called with services-call, which has no matching" in told[0]


def test_a_policy_may_stand_in_another_file_that_the_same_sidecars_load() -> None:
    apart = Slip(MAIL, "timeout: email-send, c", "timeout: messages-send, c", "")
    assert found_in(apart, is_ours=False) == []
    elsewhere = Slip(MAIL, "timeout: email-send, c", "timeout: edge-call, c", "")
    (told,) = found_in(elsewhere, is_ours=False)
    assert "notifications would have no policy edge-call among its timeouts; define it in this file" in told


def test_what_overwrites_another_files_policy_or_target_is_found() -> None:
    file = "resiliency/messages-policies.yaml"
    (told,) = found_in(Slip(file, "      sms:", "      email:", ""), is_ours=False)
    assert "messages-policies.yaml:22: email stands in email-policies.yaml too, and notifications loads both" in told
    told = found_in(Slip(file, "      messages-send: 12s", "      email-send: 12s", ""), is_ours=False)[0]
    assert "messages-policies.yaml:11: email-send stands in email-policies.yaml too" in told


def test_conditions_that_breakers_understand_pass() -> None:
    for trip in ("requests > 20 && totalFailures >= 10", "!(consecutiveFailures < 5) || totalFailures != 0"):
        assert found_in(Slip(CALLS, "trip: consecutiveFailures >= 20", f"trip: '{trip}'", "")) == []


def test_policies_for_a_store_that_is_being_moved_may_be_there_before_it() -> None:
    moving = "resiliency/order-details-moving-policies.yaml"
    assert "order-details-next:" in sound()[CHECKOUT / moving]
    (told,) = found_in(Slip(moving, "order-details-next:", "order-detail-next:", ""))
    assert "order-detail-next is no component" in told
