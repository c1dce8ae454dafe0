import pytest

from apps.chassis import telemetry

INCOMING = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def test_a_callers_trace_is_joined_and_left_again() -> None:
    with telemetry.joined(INCOMING, "work"):
        assert telemetry.traceparent() == INCOMING
        assert telemetry.trace_id() == "ab" * 16
    assert telemetry.traceparent() is None


@pytest.mark.parametrize("sent", [None, "", "nonsense", "00-" + "0" * 32 + "-" + "cd" * 8 + "-01", INCOMING.upper()])
def test_without_a_valid_one_a_new_trace_begins(sent: str | None) -> None:
    with telemetry.joined(sent, "work"):
        begun = telemetry.traceparent()
        assert begun is not None
        assert begun != sent
        assert len(telemetry.trace_id() or "") == 32
