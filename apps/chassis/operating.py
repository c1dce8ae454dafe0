"""What an operator may ask of a service: from the same machine, with the app's own token, and through no sidecar."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from apps.chassis import replay
from apps.chassis.auth import internal
from apps.chassis.copying import CopiedPage, CopyDiffersError, Keys, copy_page
from apps.chassis.documents import Documents
from apps.chassis.lag import lag
from apps.chassis.problems import ProblemError

Component = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class Copy(BaseModel):
    """One page of a role's documents, from one component to another."""

    role: Component
    source: Component
    target: Component
    after: str = ""
    until: str = ""
    limit: int = Field(default=100, ge=1, le=500)


class Lagging(BaseModel):
    """How old the oldest fact was that this process handled of late."""

    seconds: float


class Hold(BaseModel):
    """A component about to be replaced, and for how long calls to it may wait at most."""

    component: Component
    seconds: float = Field(gt=0, le=20)


def router(document_keys: Mapping[str, Keys]) -> APIRouter:
    """Return the routes; *document_keys* are those of each role that the service keeps documents in."""
    routes = APIRouter(prefix="/internal/operator", dependencies=[internal()], include_in_schema=False)

    @routes.post("/replay")
    async def replay_page(page: replay.ReplayPage, request: Request) -> replay.Replayed:
        """Publish a page of facts once more."""
        here: Any = request.app.state.chassis
        return await replay.replay(here.database, here.sidecar, here.codec, page, here.settings.outbox_retention)

    @routes.post("/lag")
    async def tell_lag() -> Lagging:
        """Tell how far behind this process is."""
        return Lagging(seconds=lag.seconds())

    @routes.post("/documents/copy")
    async def copy(page: Copy, request: Request) -> CopiedPage:
        """Copy a page of documents."""
        here: Any = request.app.state.chassis
        if page.role not in document_keys:
            raise ProblemError(404, "no-such-documents", f"This service keeps no documents in {page.role}.")
        try:
            return await copy_page(
                here.database,
                here.documents,
                document_keys[page.role],
                source=page.source,
                target=page.target,
                after=page.after,
                until=page.until,
                limit=page.limit,
            )
        except CopyDiffersError as error:
            raise ProblemError(409, "copy-differs", str(error)) from error

    @routes.post("/documents/hold", status_code=204)
    async def hold(wish: Hold, request: Request) -> Response:
        """Let calls to a component wait, and answer once none is under way."""
        documents: Documents = request.app.state.chassis.documents
        try:
            await documents.gates[wish.component].hold(wish.seconds)
        except TimeoutError as error:
            raise ProblemError(409, "still-in-use", f"Calls to {wish.component} do not end.") from error
        return Response(status_code=204)

    @routes.post("/documents/release/{component}", status_code=204)
    async def release(component: Component, request: Request) -> Response:
        """Let them go on."""
        documents: Documents = request.app.state.chassis.documents
        documents.gates[component].release()
        return Response(status_code=204)

    return routes
