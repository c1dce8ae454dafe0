import time

from apps.chassis.pacing import Pace


async def test_the_first_round_goes_at_once_and_the_next_keep_their_distance() -> None:
    pace = Pace(0.05)
    began = time.monotonic()
    await pace.turn()
    first = time.monotonic() - began
    await pace.turn()
    await pace.turn()
    assert first < 0.02
    assert 0.1 <= time.monotonic() - began < 1


async def test_after_a_rest_nobody_waits() -> None:
    pace = Pace(0.01)
    await pace.turn()
    time.sleep(0.02)  # noqa: ASYNC251  # the rest itself
    began = time.monotonic()
    await pace.turn()
    assert time.monotonic() - began < 0.01
