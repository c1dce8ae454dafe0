import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final

from starlette.applications import Starlette

_LOG: Final = logging.getLogger(__name__)


def delivering(
    run: Callable[[], Coroutine[Any, Any, None]],
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return a lifespan in which webhooks are sent by *run*."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        postman = asyncio.create_task(run())
        postman.add_done_callback(_stop_if_failed)
        try:
            yield
        finally:
            postman.cancel()
            with suppress(asyncio.CancelledError, ExceptionGroup):
                await postman

    return lifespan


def _stop_if_failed(postman: asyncio.Task[None]) -> None:
    """End the process when nobody sends webhooks any more: started again, it sends what is queued."""
    if not postman.cancelled() and (error := postman.exception()) is not None:
        _LOG.critical("webhooks stopped; the processor stops with them", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
