"""A policy edited in the running system counts; a broken file is refused, or named where it was broken by hand."""

import http
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import status
from stack.home import Home
from stack.status import Warned
from tests.support.policies import apply, hasty
from tests.support.system import System, wait_for

# An operator looks at the status, and has to see it this soon.
SOON_S = 5
# A reload takes two seconds; `make resilience` measures it, here it only has to come to an end.
RELOADED_S = 60
CUT_OFF = "deadline exceeded"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def policy(system: System) -> Iterator[Path]:
    """A policy that nobody waits for; afterwards it and its sidecar are as they were."""
    path = system.root / "resources" / "undelivered-policies.yaml"
    text = path.read_text()
    yield path
    if path.read_text() != text:
        log = Log(system)
        put(path, text)
        wait_for(log.reloaded, "the sidecar to be as it was", RELOADED_S)
    system.wait_ready("notifications-daprd")
    system.wait_ready("notifications")


class Log:
    """What notifications' sidecar says from now on."""

    def __init__(self, system: System) -> None:
        self._path = system.root / "logs" / "notifications-daprd.log"
        self._begin = self._path.stat().st_size

    def read(self) -> str:
        return self._path.read_bytes()[self._begin :].decode()

    def reloaded(self) -> bool:
        _, loaded, then = self.read().partition("Loading Resiliency configuration: undelivered")
        return bool(loaded) and "dapr initialized. Status: Running" in then


def put(path: Path, text: str) -> None:
    """Edit by hand, in one step: half a file is another edit."""
    beside = path.parent.parent / path.name
    beside.write_text(text)
    beside.replace(path)


def warnings(system: System) -> list[Warned]:
    return status.warnings(Home(root=system.root, offset=system.offset))


def test_an_edited_policy_counts_and_one_broken_by_hand_is_gone_and_named_until_it_is_repaired(
    system: System, policy: Path, tmp_path: Path
) -> None:
    assert warnings(system) == []
    before, right, log = system.pids(), policy.read_text(), Log(system)
    assert read(system) == ""
    # nothing answers this soon
    apply(system, hasty("undelivered", "1ns"), tmp_path)
    wait_for(lambda: CUT_OFF in (read(system) or ""), "the edited timeout to count", RELOADED_S)
    # Only a stop lingers: an edit would count after 15 s, and the service hear nothing until then.
    assert "Blocking graceful shutdown for 0s" in log.read()
    put(policy, right.replace("undelivered-call: 5s", "undelivered-call: five"))
    (warned,) = wait_for(lambda: warnings(system) or None, "the status to name the file", SOON_S)
    assert (warned.file, warned.line) == (str(policy), 10)
    assert warned.what == "timeouts.undelivered-call is 'five'"
    assert json.loads(system.sidecart("status", "--json").stdout)["warnings"] == [warned.model_dump()]
    shown = f"warning: {policy}:10: timeouts.undelivered-call is 'five'; write a duration"
    assert shown in system.sidecart("status").stdout
    # What the status saves an operator from: the sidecar goes on without the policy, and says so in its log alone.
    wait_for(lambda: read(system) == "", "the sidecar to go on without the policy", RELOADED_S)
    assert "Could not read resiliency policy undelivered" in log.read()
    log = Log(system)
    put(policy, right)
    wait_for(lambda: not warnings(system), "the status to be silent again", SOON_S)
    assert json.loads(system.sidecart("status", "--json").stdout)["warnings"] == []
    wait_for(log.reloaded, "the sidecar to read it", RELOADED_S)
    assert system.pids() == before


def read(system: System) -> str | None:
    """Read nothing from the store that the policy guards; return the sidecar's complaint, None where it is away."""
    headers = {"dapr-api-token": system.sidecar_token("notifications")}
    url = f"http://127.0.0.1:{system.port(3504)}/v1.0/state/undelivered/nothing"
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers), timeout=RELOADED_S) as answer:
            assert answer.status == http.HTTPStatus.NO_CONTENT
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return None


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("undelivered-call: 5s", "undelivered-call: five", ": timeouts.undelivered-call is 'five'; write a duration"),
        (
            "retry: undelivered-call, ",
            "retry: unknown, ",
            ": notifications would have no policy unknown among its retries",
        ),
        ("      undelivered:\n", "      undeliverd:\n", ": undeliverd is no component; did you mean undelivered?"),
        ("spec:\n", "spec: [\n", "no valid YAML"),
    ],
)
def test_a_broken_file_is_refused_before_a_sidecar_sees_it(
    right: str, wrong: str, said: str, system: System, tmp_path: Path
) -> None:
    present = system.root / "resources" / "undelivered-policies.yaml"
    before = (present.read_text(), present.stat().st_mtime_ns)
    broken = tmp_path / "mine.yaml"
    assert right in before[0]
    broken.write_text(before[0].replace(right, wrong, 1))
    pairs = zip(before[0].splitlines(), broken.read_text().splitlines(), strict=True)
    changed = next(number for number, (old, new) in enumerate(pairs, 1) if old != new)
    refused = system.sidecart("apply", str(broken), check=False)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    # what is no YAML is noticed further down
    assert line.startswith(f"sidecart: {broken}:" if "YAML" in said else f"sidecart: {broken}:{changed}:")
    assert said in line
    assert (present.read_text(), present.stat().st_mtime_ns) == before
    assert warnings(system) == []
