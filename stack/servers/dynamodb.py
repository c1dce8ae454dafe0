"""Moto, which answers as DynamoDB does: it keeps everything in memory, so that we keep a journal for it."""

import json
from typing import Final

from stack.addresses import DYNAMODB_PORT
from stack.home import Home
from stack.program import Check, Program
from stack.servers import python_package
from stack.servers.container import Image
from stack.servers.server import Server
from stack.watched import Progress

REQUIREMENT: Final = "moto[server]==5.2.5"
TABLE: Final = "order-details"
# What was written is done again before anybody is let in; the table is the journal's first line.
_SERVE: Final = """
import io, json, sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client
port, journal = int(sys.argv[1]), open(sys.argv[2], "a+")
moto = DomainDispatcherApplication(create_backend_app)
SIGNED, CREATE = sys.argv[4], sys.argv[5]
WRITES = {"CreateTable", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
def kept(environ, start):
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target.rpartition(".")[2] in WRITES:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        region = environ.get("HTTP_AUTHORIZATION", "").split("/")[2]
        journal.write(json.dumps([region, target, body.decode()]) + chr(10))
        journal.flush()
        environ["wsgi.input"] = io.BytesIO(body)
    return moto(environ, start)
def again(region, target, body, app=moto):
    headers = {"Authorization": SIGNED.format(region), "X-Amz-Target": target}
    Client(app).post("/", data=body, headers=headers, content_type="application/x-amz-json-1.0")
journal.seek(0)
lines = journal.readlines()
for line in lines:
    if line.endswith(chr(10)):
        again(*json.loads(line))
if not lines:
    again(sys.argv[3], "DynamoDB_20120810.CreateTable", CREATE, kept)
run_simple("127.0.0.1", port, kept, threaded=True)
"""
REGION: Final = "eu-central-1"
SIGNED: Final = (
    "AWS4-HMAC-SHA256 Credential=sidecart/20200101/{}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
)
"""What names the region; neither server looks at more."""


def table_request(table: str) -> str:
    """Return the body that asks for a table as `state.aws.dynamodb` needs it."""
    key = {"AttributeName": "key"}
    return json.dumps(
        {
            "TableName": table,
            "KeySchema": [key | {"KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [key | {"AttributeType": "S"}],
        }
    )


def programs(home: Home, _secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Describe the server; its table is there when it answers."""
    packages = python_package.folder(REQUIREMENT, progress)
    port, data = home.port(DYNAMODB_PORT), home.data / "dynamodb"
    data.mkdir(mode=0o700, exist_ok=True)
    argv, env = python_package.command(packages, _SERVE)
    server = Program(
        name="dynamodb",
        kind="server",
        argv=[*argv, str(port), str(data / "journal"), REGION, SIGNED, table_request(TABLE)],
        env=env,
        cwd=str(data),
        ports={"http": port},
        check=Check(via="tcp", port=port),
    )
    return [server]


SERVER = Server(
    name="dynamodb",
    variable="SIDECART_DYNAMODB_ENDPOINT",
    ports={"dynamodb": DYNAMODB_PORT},
    processes=frozenset({"dynamodb"}),
    missing=python_package.missing,
    programs=programs,
    image=Image(
        name="amazon/dynamodb-local:3.1.0",
        port=8000,
        data="/kept",
        env=lambda _secrets, _port: {},
        say=b"GET / HTTP/1.0\r\n\r\n",
        command=("-jar", "DynamoDBLocal.jar", "-sharedDb", "-dbPath", "/kept"),
        user="root",  # whose new volume is
        table=TABLE,
    ),
)
