from uuid import UUID

from apps.notifications import intake
from apps.notifications.intake import Intake


def test_what_came_first_is_taken_first() -> None:
    brought = Intake()
    brought.bring(map(UUID, (f"{n:032x}" for n in range(5))))
    assert brought.called.is_set()
    assert [id_.int for id_ in brought.take(3)] == [0, 1, 2]
    assert [id_.int for id_ in brought.take(3)] == [3, 4]
    assert brought.take(3) == []


def test_it_does_not_grow_without_end() -> None:
    brought = Intake()
    brought.bring(UUID(int=n) for n in range(intake._MOST + 5))
    assert len(brought) == intake._MOST
    assert brought.take(1) == [UUID(int=5)]
