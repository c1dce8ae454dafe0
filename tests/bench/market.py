"""Buyers, articles and the requests with which they are ordered."""

import asyncio

import orjson

from tests.bench import trail
from tests.bench.generator import MARK, request
from tests.bench.settings import Settings
from tests.support.load import SOLD, letters
from tests.support.shop import ADDRESS, Shop
from tests.support.system import System, wait_for

ORDERS = "/v1.0/invoke/orders/method/orders"
TOKEN_S = 3600


def prepare(system: System, settings: Settings) -> list[str]:
    """Register customers, fill the shelves, and return one prepared order for each pair; their own mail is over."""
    before, _ = trail.mails_so_far(system)

    async def stock() -> list[str]:
        async with Shop(system) as shop:
            skus = [f"tea-{letters(8)}" for _ in range(settings.products)]
            for sku in skus:
                await shop.put_product(sku, stock=SOLD)
            # one after the other: users refuses to hash many passwords at once
            ids = [(await shop.register()).id for _ in range(settings.customers)]
            tokens = [shop.operator_token("customer", id_, TOKEN_S) for id_ in ids]
            return [_order(token, sku) for token in tokens for sku in skus]

    requests = asyncio.run(stock())
    # each registration is answered by a mail that asks to verify the address
    wait_for(lambda: trail.mails_so_far(system)[0] >= before + settings.customers, "the mails about registration", 60)
    return requests


def _order(token: str, sku: str) -> str:
    body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    headers = {"authorization": f"Bearer {token}", "idempotency-key": MARK}
    return request("POST", ORDERS, headers, orjson.dumps(body).decode())
