"""The clock in: a cron binding posts here on every replica; what a job does must bear that."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from apps.chassis.auth import from_sidecar
from apps.chassis.telemetry import log

if TYPE_CHECKING:
    from apps.chassis.app import Chassis

Job = Callable[["Chassis"], Awaitable[None]]


class Jobs:
    """What a service does when the clock says so."""

    def __init__(self) -> None:
        self.by_binding: dict[str, list[Job]] = {}

    def on(self, binding: str) -> Callable[[Job], Job]:
        """Run the job at each tick of the cron binding *binding*; it opens its own transactions."""

        def register(job: Job) -> Job:
            self.by_binding.setdefault(binding, []).append(job)
            return job

        return register


def router(jobs: Jobs) -> APIRouter:
    """Return the routes that cron bindings post to."""
    routes = APIRouter(prefix="/jobs", dependencies=[from_sidecar], include_in_schema=False)

    for binding, registered in jobs.by_binding.items():
        routes.add_api_route(f"/{binding}", _runner(registered), methods=["POST"], name=binding)
        # the sidecar asks by OPTIONS whether there is a route before it starts the clock
        routes.add_api_route(f"/{binding}", _welcome, methods=["OPTIONS"], name=f"{binding}-welcome")
    return routes


async def _welcome() -> Response:
    return Response(status_code=200)


def _runner(registered: list[Job]) -> Callable[[Request], Awaitable[Response]]:
    async def tick(request: Request) -> Response:
        chassis: Any = request.app.state.chassis
        for job in registered:
            try:
                await job(chassis)
            except Exception as error:  # noqa: BLE001  # one job's trouble is not another's, and the clock ticks on
                log.warning("job_failed", job=getattr(job, "__name__", "job"), error=type(error).__name__)
        return Response(status_code=200)

    return tick
