"""Each alert fires when it should and keeps quiet when it should not, as promtool sees it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.errors import StackError
from stack.servers import debian
from stack.watched import to_stderr
from tests.support.documents import CHECKOUT

RULES: Any = yaml.safe_load((CHECKOUT / "k8s/components/monitoring/alerts.yaml").read_text())["spec"]
CASES = Path(__file__).with_name("alerts.yaml")


@pytest.fixture(scope="session")
def promtool() -> Path:
    try:
        return debian.unpacked("prometheus", "prometheus", to_stderr) / "usr/bin/promtool"
    except StackError as error:
        pytest.skip(f"not run: {error}")


def run(promtool: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_rules_are_understood(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    done = run(promtool, tmp_path, "check", "rules", "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_fires_when_it_should_and_only_then(promtool: Path, tmp_path: Path) -> None:
    """Annotations are left aside: they are words for people, and would have to be repeated in each case."""
    groups = [
        {**group, "rules": [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]]}
        for group in RULES["groups"]
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    (tmp_path / "cases.yaml").write_text(CASES.read_text())
    done = run(promtool, tmp_path, "test", "rules", "cases.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_both_cases() -> None:
    alerts = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
    cases = {case["name"] for case in yaml.safe_load(CASES.read_text())["tests"]}
    assert cases == {f"{alert} {does}" for alert in alerts for does in ("fires", "keeps quiet")}
