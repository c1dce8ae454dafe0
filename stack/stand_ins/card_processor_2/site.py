"""The pages for people: what was paid, and where a customer agrees to a payment."""

import hmac
from html import escape
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stack.stand_ins.card_processor_2 import payments
from stack.stand_ins.card_processor_2.api import Api, Call, Refused
from stack.stand_ins.card_processor_2.book import Json
from stack.stand_ins.database import transaction
from stack.stand_ins.faults import NONE
from stack.stand_ins.pages import faults_note, page, table

_SHOWN = 50
_TITLE = "Second card processor"
# the cardholder failed to show who they are
_NOT_AUTHENTICATED = "20151"


def _row(paid: Json) -> tuple[object, ...]:
    labels = ", ".join(f"{key}={value}" for key, value in paid["metadata"].items())
    sums, money = paid["balances"], f"{paid['amount']} {paid['currency']}"
    return (
        paid["requested_on"],
        paid["id"],
        labels,
        money,
        paid["status"],
        sums["total_captured"],
        sums["total_refunded"],
    )


def _pending(call: Call) -> Json:
    made = call.payment()
    if not hmac.compare_digest(made["_secret"].encode(), call.query.get("secret", "").encode()):
        raise Refused(404)
    if made["status"] != "Pending":
        raise Refused(403)
    return made


def _sorry(refused: Refused) -> HTMLResponse:
    return page(_TITLE, "<p>This payment does not wait for anybody.</p>", status=refused.status)


def routes(api: Api) -> list[Route]:
    """Return the pages; none needs the key, and the customer's link carries a secret of its own."""

    async def home(_: Request) -> Response:
        heads = ("requested", "id", "metadata", "amount", "status", "captured", "refunded")
        rows = [_row(paid) for paid in api.book.listed("1 = 1", (), _SHOWN)]
        return page(_TITLE, faults_note(api.faults.fields), table(heads, rows))

    async def ask(request: Request) -> Response:
        try:
            made = _pending(api.call(request, {}, NONE))
        except Refused as refused:
            return _sorry(refused)
        buttons = (("agree", "Agree to pay"), ("refuse", "Refuse"))
        asked = "".join(f'<button name="outcome" value="{value}">{text}</button> ' for value, text in buttons)
        action = escape(f"/3ds/{quote(made['id'])}?secret={quote(made['_secret'])}")
        money = escape(f"{made['amount']} {made['currency']}")
        form = f'<p>A shop asks for {money}.</p><form method="post" action="{action}">{asked}</form>'
        return page("Confirm your payment", form)

    async def decide(request: Request) -> Response:
        agreed = await request.body() == b"outcome=agree"
        try:
            call = api.call(request, {}, api.faults.draw())
            with transaction(api.book.db):
                made = _pending(call)
                payments.authorise(call, made, "10000" if agreed else _NOT_AUTHENTICATED)
        except Refused as refused:
            return _sorry(refused)
        back = made["_back"][0 if agreed else 1]
        if not back.startswith(("http://", "https://")):
            return page("Thank you", f"<p>The payment was {'authorised' if agreed else 'refused'}.</p>")
        query = urlencode({"cko-payment-id": made["id"]})
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{query}", status_code=303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/3ds/{id}", ask, methods=["GET"]),
        Route("/3ds/{id}", decide, methods=["POST"]),
    ]
