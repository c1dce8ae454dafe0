"""A file that no sidecar can use: refused where it is applied, named where it was broken by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import status
from stack.home import Home
from stack.status import Warned
from tests.support.system import System, wait_for

# An operator looks at the status, and has to see it this soon.
SOON_S = 5


@pytest.fixture
def policy(system: System) -> Iterator[Path]:
    """A policy that nothing depends on; afterwards it and its sidecar are as they were."""
    path = system.root / "resources" / "undelivered-policies.yaml"
    text = path.read_text()
    yield path
    path.write_text(text)
    system.wait_ready("notifications-daprd")
    system.wait_ready("notifications")


def warnings(system: System) -> list[Warned]:
    return status.warnings(Home(root=system.root, offset=system.offset))


def test_a_policy_broken_by_hand_is_named_by_the_status_until_it_is_repaired(system: System, policy: Path) -> None:
    assert warnings(system) == []
    text = policy.read_text()
    policy.write_text(text.replace("undelivered-call: 5s", "undelivered-call: five"))
    (warned,) = wait_for(lambda: warnings(system) or None, "the status to name the file", deadline_s=SOON_S)
    assert (warned.file, warned.line) == (str(policy), 10)
    assert warned.what == "timeouts.undelivered-call is 'five'"
    told = json.loads(system.sidecart("status", "--json").stdout)["warnings"]
    assert told == [warned.model_dump()]
    shown = f"warning: {policy}:10: timeouts.undelivered-call is 'five'; write a duration"
    assert shown in system.sidecart("status").stdout
    # What the status saves an operator from: the sidecar goes on without the policy, and says so in its log alone.
    log = system.root / "logs" / "notifications-daprd.log"
    wait_for(lambda: "Could not read resiliency policy undelivered" in log.read_text() or None, "the sidecar to reload")
    # Only a stop lingers: an edit would count after 15 s, and the service hear nothing until then.
    assert "Blocking graceful shutdown for 0s" in log.read_text()
    policy.write_text(text)
    wait_for(lambda: not warnings(system), "the status to be silent again", deadline_s=SOON_S)
    assert json.loads(system.sidecart("status", "--json").stdout)["warnings"] == []


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
