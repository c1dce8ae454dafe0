import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from apps.chassis import (
    answers,
    events,
    housekeeping,
    idempotency,
    jobs,
    metrics,
    operating,
    operations,
    problems,
    seams,
    telemetry,
    tokens,
)
from apps.chassis.codec import Codec, PlainCodec
from apps.chassis.copying import Keys
from apps.chassis.database import Database, engine_for
from apps.chassis.dead_letters import DeadLetterNotFoundError
from apps.chassis.documents import Documents
from apps.chassis.events import EventHandlers
from apps.chassis.jobs import Jobs
from apps.chassis.middleware import Shell
from apps.chassis.problems import Problem
from apps.chassis.relay import Relay
from apps.chassis.settings import MisconfiguredError, ServiceSettings, end
from apps.chassis.sidecar import Sidecar
from apps.chassis.tokens import KeySource, Tokens


@dataclass(slots=True)
class Chassis:
    """What a running process has: built when it starts, closed when it stops, found at `app.state.chassis`."""

    settings: Any
    sidecar: Sidecar
    database: Database
    codec: Codec
    relay: Relay
    tokens: Tokens
    extra: Any = None
    """What the service's own `prepare` built."""
    documents: Documents = field(init=False)

    def __post_init__(self) -> None:
        """Reach documents through the sidecar."""
        self.documents = Documents(self.sidecar)


_GC_THRESHOLD = 5_000
"""Objects made before the youngest generation is looked through; Python's 700 suits programs that make few."""

# The Shell has one span a request, and only where the trace is sampled; these would be four, of probes as well.
_NONE_OF_ITS_OWN: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}

Background = Callable[[Chassis], Awaitable[None]]


async def _plain(_sidecar: Sidecar) -> Codec:
    return PlainCodec()


async def _nothing(_chassis: Chassis) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Service:
    """What makes one service different from the next."""

    name: str
    settings: type[ServiceSettings]
    routers: Sequence[APIRouter]
    handlers: EventHandlers = field(default_factory=EventHandlers)
    jobs: Jobs = field(default_factory=Jobs)
    problems: Mapping[type[Exception], Problem] = field(default_factory=dict[type[Exception], Problem])
    codec: Callable[[Sidecar], Awaitable[Codec]] = _plain
    prepare: Callable[[Chassis], Awaitable[Any]] = _nothing
    """Runs before the first request; what it returns is `chassis.extra`."""
    background: Sequence[Background] = ()
    """Loops that run until the process stops."""
    gauges: Sequence[metrics.Gauge] = ()
    """What its database knows of how the business goes; see `metrics`."""
    document_keys: Mapping[str, Keys] = field(default_factory=dict[str, Keys])
    """By role, how the keys of the documents kept there are listed: what moves them asks the database."""
    key_source: Callable[[Chassis], KeySource] | None = None
    """Where verification keys come from; by default users is asked, by app-id."""
    scope: str | None = None
    """What a machine client needs for what any signed-in person may do here; by default the service's name."""


def create_app(service: Service, settings: ServiceSettings) -> FastAPI:
    """Return the service as an ASGI application; nothing is connected before its lifespan begins."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            try:
                app.state.chassis = await _assemble(stack, service, settings)
            except MisconfiguredError as error:
                end(service.name, error)
            await _start_background(stack, service, app.state.chassis)
            _settle_memory()
            telemetry.log.info("service_started")
            yield
        telemetry.log.info("service_stopped")

    app = FastAPI(
        title=f"sidecart {service.name}",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=_NONE_OF_ITS_OWN,
    )
    for router in (*service.routers, operations.health(), operations.dead_letter_routes(service.handlers)):
        app.include_router(router)
    app.include_router(events.router(service.handlers))
    app.include_router(jobs.router(service.jobs))
    app.include_router(operating.router(service.document_keys))
    app.include_router(metrics.router(service.gauges))
    app.state.scope = service.scope or service.name
    _install_errors(app, service)
    answers.document(app)
    app.add_middleware(
        Shell,
        token=settings.app_api_token.get_secret_value(),
        body_limit=settings.body_limit,
        event_body_limit=settings.event_body_limit,
    )
    return app


def _settle_memory() -> None:
    """Spare the garbage collector what lives as long as the process; its rounds took 5 % of a busy service."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)


def _install_errors(app: FastAPI, service: Service) -> None:
    own: dict[type[Exception], Problem] = {DeadLetterNotFoundError: Problem(404, "dead-letter-not-found")}
    problems.install(app, {**own, **service.problems})
    app.add_exception_handler(idempotency.Replayed, idempotency.replay)  # type: ignore[arg-type]  # narrower is right
    for kind in (DBAPIError, SQLAlchemyError):
        app.add_exception_handler(kind, problems.tell_unexpected)


async def _assemble(stack: AsyncExitStack, service: Service, settings: ServiceSettings) -> Chassis:
    if settings.seams:
        seams.arm(service.name, settings.seams)
    sidecar = await Sidecar.connect(settings)
    stack.push_async_callback(sidecar.close)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    engine = engine_for(url or await sidecar.secret(f"{service.name}-database-url"), settings.database_pool)
    codec = await service.codec(sidecar)
    relay = Relay(engine, sidecar, codec, poll=settings.outbox_poll, batch=settings.outbox_batch, pace=settings.pace)
    database = Database(engine, codec, on_commit=relay.wake)
    stack.push_async_callback(database.close)
    verifier = Tokens(settings.token_issuer, database, tokens.from_users(sidecar))
    chassis = Chassis(settings, sidecar, database, codec, relay, verifier)
    chassis.extra = await service.prepare(chassis)
    if service.key_source:
        verifier.source = service.key_source(chassis)
    return chassis


async def _start_background(stack: AsyncExitStack, service: Service, chassis: Chassis) -> None:
    loops: list[Awaitable[None]] = [
        chassis.relay.run(),
        chassis.tokens.keep_fresh(),
        housekeeping.keep_house(chassis.database, chassis.settings),
        *(background(chassis) for background in service.background),
    ]
    tasks = [asyncio.ensure_future(loop) for loop in loops]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(stop)


async def _here(request: Request) -> Chassis:
    chassis: Chassis = request.app.state.chassis
    return chassis


Here = Annotated[Chassis, Depends(_here)]
"""For routes that call the outside: they open their own short transactions around it."""
