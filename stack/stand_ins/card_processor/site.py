"""The pages for people: what was paid, and where a customer agrees to a payment."""

from html import escape
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.stand_ins.card_processor import intents
from stack.stand_ins.card_processor.api import Api
from stack.stand_ins.card_processor.book import Json
from stack.stand_ins.card_processor.errors import Refused
from stack.stand_ins.database import transaction
from stack.stand_ins.faults import NONE
from stack.stand_ins.pages import faults_note, page, table

_SHOWN = 50


def _row(api: Api, paid: Json) -> tuple[object, ...]:
    charge = api.book.get("ch", paid["latest_charge"]) if paid["latest_charge"] else {}
    labels = ", ".join(f"{key}={value}" for key, value in paid["metadata"].items())
    money = f"{paid['amount']} {paid['currency'].upper()}"
    back = charge.get("amount_refunded", 0)
    return paid["created"], paid["id"], labels, money, paid["status"], paid["amount_received"], back


def _form(made: Json) -> str:
    secret = quote(made["client_secret"])
    buttons = (("agree", "Agree to pay"), ("refuse", "Refuse"))
    asked = "".join(f'<button name="outcome" value="{value}">{text}</button> ' for value, text in buttons)
    money = escape(f"{made['amount']} {made['currency'].upper()} (minor units)")
    action = f"/authenticate/{quote(made['id'])}?client_secret={secret}"
    return f'<p>A shop asks for {money}.</p><form method="post" action="{escape(action)}">{asked}</form>'


def _sorry(refused: Refused) -> HTMLResponse:
    return page("Card processor", f"<p>{escape(str(refused))}</p>", status=refused.status)


def routes(api: Api) -> list[Route]:
    """Return the pages; none needs the key, and the customer's link carries a secret of its own."""

    async def home(_: Request) -> Response:
        newest, _more = api.book.listed("pi", limit=_SHOWN)
        heads = ("created", "id", "metadata", "amount (minor units)", "status", "received", "refunded")
        rows = [_row(api, paid) for paid in newest]
        return page("Card processor", faults_note(api.faults.fields), table(heads, rows))

    async def ask(request: Request) -> Response:
        try:
            made = intents.pending(api.call(request, request.url.query.encode(), NONE))
        except Refused as refused:
            return _sorry(refused)
        return page("Confirm your payment", _form(made))

    async def decide(request: Request) -> Response:
        agreed = await request.body() == b"outcome=agree"
        back: str | None = None
        try:
            call = api.call(request, request.url.query.encode(), api.faults.draw())
            with transaction(api.book.db):
                back = intents.pending(call)["next_action"]["redirect_to_url"]["return_url"]
                try:
                    intents.authenticate(call, agreed=agreed)
                except Refused as refused:
                    if not refused.kept:
                        raise
        except Refused as refused:
            return _sorry(refused)
        if back is None or not back.startswith(("http://", "https://")):
            return page("Thank you", f"<p>The payment was {'authorised' if agreed else 'refused'}.</p>")
        status = "succeeded" if agreed else "failed"
        query = urlencode({"payment_intent": request.path_params["id"], "redirect_status": status})
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{query}", status_code=303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/authenticate/{id}", ask, methods=["GET"]),
        Route("/authenticate/{id}", decide, methods=["POST"]),
    ]
