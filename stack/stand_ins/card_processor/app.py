import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.card_processor import endpoints, intents, reads, refunds, site
from stack.stand_ins.card_processor.api import Api
from stack.stand_ins.card_processor.book import SCHEMA, Book, Json
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.card_processor.webhooks import Postman
from stack.stand_ins.database import open_database
from stack.stand_ins.delivering import delivering
from stack.stand_ins.faults import FaultBox
from stack.stand_ins.inbox import healthy
from stack.stand_ins.problems import as_json


def _routes(api: Api, webhook_secret: str) -> list[Route]:
    def add_endpoint(call: Call) -> Json:
        return endpoints.create(call, webhook_secret)

    return [
        api.route("POST", "/v1/payment_intents", intents.create),
        api.route("GET", "/v1/payment_intents", reads.intents),
        api.route("GET", "/v1/payment_intents/search", reads.search),
        api.route("GET", "/v1/payment_intents/{id}", reads.one("pi")),
        api.route("POST", "/v1/payment_intents/{id}/confirm", intents.confirm),
        api.route("POST", "/v1/payment_intents/{id}/capture", intents.capture),
        api.route("POST", "/v1/payment_intents/{id}/cancel", intents.cancel),
        api.route("POST", "/v1/refunds", refunds.create),
        api.route("GET", "/v1/refunds", reads.refunds),
        api.route("GET", "/v1/refunds/{id}", reads.one("re")),
        api.route("GET", "/v1/charges", reads.charges),
        api.route("GET", "/v1/charges/{id}", reads.one("ch")),
        api.route("GET", "/v1/events", reads.events),
        api.route("GET", "/v1/events/{id}", reads.one("evt")),
        api.route("POST", "/v1/webhook_endpoints", add_endpoint),
        api.route("GET", "/v1/webhook_endpoints", reads.webhook_endpoints),
        api.route("GET", "/v1/webhook_endpoints/{id}", reads.webhook_endpoint),
        api.route("DELETE", "/v1/webhook_endpoints/{id}", endpoints.remove),
    ]


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"Unrecognized request URL ({request.method}: {request.url.path})."
    return as_json({"error": {"type": "invalid_request_error", "message": message}}, status)


def create_app(data: Path, port: int) -> Starlette:
    """Return the processor; CARD_PROCESSOR_KEY and CARD_PROCESSOR_WEBHOOK_SECRET are read from the environment."""
    book, faults = Book(open_database(data, "card-processor", SCHEMA)), FaultBox()
    events = Events(book)
    api = Api(book, events, faults, os.environ.get("CARD_PROCESSOR_KEY", ""), f"http://127.0.0.1:{port}")

    return Starlette(
        routes=[
            *_routes(api, os.environ.get("CARD_PROCESSOR_WEBHOOK_SECRET", "")),
            *faults.routes(),
            *site.routes(api),
            Route("/healthz", healthy, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _unknown},
        lifespan=delivering(lambda: Postman(book, events).run()),
    )
