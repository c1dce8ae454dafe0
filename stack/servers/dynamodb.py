"""Moto, which answers as DynamoDB does: it keeps everything in memory, so that we keep a journal for it."""

import json
from pathlib import Path
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
_SERVE: Final = Path(__file__).with_name("dynamodb_tables.py")
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
    argv, env = python_package.script(packages, _SERVE)
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
