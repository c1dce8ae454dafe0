"""The least that an app can do, run as the services are run: `python -m tests.bench.probe_app PORT`."""

import sys
import time

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI(docs_url=None, redoc_url=None)
app.state.seen = 0
app.state.last_at = 0.0


@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/events/probe")
async def take(request: Request) -> Response:
    entries = orjson.loads(await request.body())["entries"]
    app.state.seen += len(entries)
    app.state.last_at = time.time()
    statuses = [{"entryId": entry["entryId"], "status": "SUCCESS"} for entry in entries]
    return Response(orjson.dumps({"statuses": statuses}), media_type="application/json")


@app.get("/seen")
async def seen() -> dict[str, float]:
    return {"count": app.state.seen, "last_at": app.state.last_at}


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        access_log=False, log_config=None, server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
