import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta


@asynccontextmanager
async def evenly(step: timedelta) -> AsyncGenerator[None]:
    """Let what is done inside end at a multiple of *step*, so that its time does not tell which way it took."""
    loop, width = asyncio.get_running_loop(), step.total_seconds()
    started = loop.time()
    try:
        yield
    finally:
        if width:
            steps = math.ceil((loop.time() - started) / width)
            await asyncio.sleep(max(0.0, started + steps * width - loop.time()))
