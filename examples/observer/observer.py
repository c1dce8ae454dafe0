"""Print the shop's events as they happen; the first time, beginning with those that the broker still holds."""

import os
from hmac import compare_digest
from typing import Annotated, Any

import uvicorn
from dapr.ext.fastapi import DaprApp
from fastapi import Body, Depends, FastAPI, Header, HTTPException

ORDERS = ("order-placed", "order-paid", "order-cancelled")
PAYMENTS = ("payment-captured", "payment-declined", "payment-refunded", "refund-failed")


async def own_sidecar(dapr_api_token: Annotated[str, Header()] = "") -> None:
    """Let nobody else tell what happens."""
    if not compare_digest(dapr_api_token.encode(), os.environ["APP_API_TOKEN"].encode()):
        raise HTTPException(401, "This port answers its own sidecar only.")


async def show(event: Annotated[dict[str, Any], Body()], _own: Annotated[None, Depends(own_sidecar)]) -> None:
    """Print one event on a line of its own; a live view that misses one misses little."""
    print(event["time"], event["type"], event["data"]["order_id"], flush=True)


app = FastAPI()
app.add_api_route("/readyz", lambda: "ready")
observed = DaprApp(app)
for topic in (*ORDERS, *PAYMENTS):
    observed.subscribe(pubsub="pubsub", topic=topic)(show)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["APP_PORT"]), log_level="warning")
