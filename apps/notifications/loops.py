import asyncio
from collections.abc import Awaitable, Callable

from apps.chassis.telemetry import log

_PAUSE_AFTER_TROUBLE_S = 0.5


async def until_done(step: Callable[[], Awaitable[None]]) -> None:
    """Try *step* until it succeeds; its trouble is logged and waited out."""
    while True:
        try:
            return await step()
        except Exception as error:  # noqa: BLE001  # the database still knows what was to be done
            log.warning("post_room_interrupted", step=getattr(step, "__name__", "step"), error=type(error).__name__)
            await asyncio.sleep(_PAUSE_AFTER_TROUBLE_S)


async def for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat *step* until cancelled."""
    while True:
        await until_done(step)
