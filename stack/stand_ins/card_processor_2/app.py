import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.card_processor_2 import payments, reads, site, workflows
from stack.stand_ins.card_processor_2.api import Api
from stack.stand_ins.card_processor_2.book import SCHEMA, Book
from stack.stand_ins.card_processor_2.events import Events
from stack.stand_ins.card_processor_2.postman import Postman
from stack.stand_ins.database import open_database
from stack.stand_ins.delivering import delivering
from stack.stand_ins.faults import FaultBox
from stack.stand_ins.inbox import healthy


def _routes(api: Api, webhook_secret: str) -> list[Route]:
    return [
        api.route("POST", "/payments", payments.request),
        api.route("GET", "/payments", reads.by_reference),
        api.route("POST", "/payments/search", reads.search),
        api.route("GET", "/payments/{id}", reads.one),
        api.route("GET", "/payments/{id}/actions", reads.actions),
        api.route("POST", "/payments/{id}/captures", payments.capture),
        api.route("POST", "/payments/{id}/voids", payments.void),
        api.route("POST", "/payments/{id}/refunds", payments.refund),
        api.route("POST", "/workflows", workflows.create(webhook_secret)),
        api.route("GET", "/workflows", workflows.listed),
        api.route("DELETE", "/workflows/{id}", workflows.remove),
    ]


async def _unknown(_: Request, error: Exception) -> Response:
    return Response(status_code=error.status_code if isinstance(error, HTTPException) else 500)


def create_app(data: Path, port: int) -> Starlette:
    """Return the processor; CARD_PROCESSOR_2_KEY and CARD_PROCESSOR_2_WEBHOOK_SECRET come from the environment."""
    book, faults = Book(open_database(data, "card-processor-2", SCHEMA)), FaultBox()
    events = Events(book)
    api = Api(book, events, faults, os.environ.get("CARD_PROCESSOR_2_KEY", ""), f"http://127.0.0.1:{port}")

    return Starlette(
        routes=[
            *_routes(api, os.environ.get("CARD_PROCESSOR_2_WEBHOOK_SECRET", "")),
            *faults.routes(),
            *site.routes(api),
            Route("/healthz", healthy, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _unknown},
        lifespan=delivering(lambda: Postman(book, events, faults).run()),
    )
