from typing import Any

import pytest

from tests.bench.goals import judge, lost


def part(**changes: Any) -> dict[str, Any]:
    good = {"sent": 3000, "accepted": 3000, "paid": 3000, "charged_once": 3000, "mailed": 3000, "drained": True}
    figures = {"placed_paid_mailed_per_second": 149.0, "backlog": {"growth_per_second": 0.4}}
    return {**good, **figures, "stages": {"mailed": {"p95_ms": 200.0}}, **changes}


def results(**changes: Any) -> dict[str, Any]:
    good = {"idle": part(), "sustained": part(), "most": {"steps": [part()]}, "memory_mib": {"in all": 1100.0}}
    return {**good, "settings": {"rate": 150.0}, "ready_s": 12.0, **changes}


def test_a_good_run_meets_every_goal() -> None:
    assert [goal.what for goal in judge(results()) if not goal.met] == []


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"ready_s": 15.1}, "first start to ready"),
        ({"idle": part(stages={"mailed": {"p95_ms": 301.0}})}, "idle: placed to mailed, p95"),
        ({"idle": part(stages={"mailed": {"p95_ms": None}})}, "idle: placed to mailed, p95"),
        ({"settings": {"rate": 100.0}}, "sustained: asked for"),
        ({"sustained": part(sent=3001)}, "sustained: refused"),
        ({"sustained": part(backlog={"growth_per_second": 4.0})}, "sustained: backlog grows by"),
        ({"sustained": part(mailed=2999)}, "accepted, yet not charged once, paid and mailed"),
        ({"memory_mib": {"in all": 1600.0}}, "memory of everything"),
    ],
)
def test_each_goal_can_be_missed(changes: dict[str, Any], missed: str) -> None:
    assert [goal.what for goal in judge(results(**changes)) if not goal.met] == [missed]


def test_what_was_cut_short_is_not_called_lost() -> None:
    assert lost(results(most={"steps": [part(mailed=10, drained=False)]})) == 0


def test_a_running_system_was_not_started_here_and_so_is_not_judged_by_it() -> None:
    assert "first start to ready" not in {goal.what for goal in judge({**results(), "ready_s": None})}
