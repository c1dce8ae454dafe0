import json
import subprocess
import sys

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


LIBRARY = """
import logging
from apps.chassis import telemetry
telemetry.start("users", "INFO")
with telemetry.within("00-" + "ab" * 16 + "-" + "cd" * 8 + "-00"):
    try:
        raise ValueError("no mail to ada@example.org")
    except ValueError:
        logging.getLogger("some.library").warning("gave up %s", "ada@example.org", exc_info=True)
"""


def test_libraries_log_as_we_do_with_the_trace_and_without_the_address() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True, timeout=60)
    line = json.loads(done.stdout)
    assert (line["event"], line["service"], line["trace_id"]) == ("gave up (address)", "users", "ab" * 16)
    assert "ValueError: no mail to (address)" in line["exception"]
