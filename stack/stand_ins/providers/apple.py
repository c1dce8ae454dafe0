"""Apple's push service: HTTP/2 alone, a JWT by the account's ES256 key, and a reason for each refusal."""

import os
import re
import time
import uuid
from typing import Final

import orjson
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.problems import as_json
from stack.stand_ins.providers.channel import Channel, Taken

HOST: Final = "api.push.apple.com"
_DEVICE: Final = re.compile(r"[0-9a-fA-F]{64,200}")
_LARGEST: Final = 4096
# A token older than an hour is refused.
_OLDEST_S: Final = 3600
_REASONS: Final = {400: "BadDeviceToken", 403: "InvalidProviderToken", 410: "Unregistered", 429: "TooManyRequests"}


def routes(push: Channel) -> list[Route]:
    """Return the way in for one device's notifications."""
    key = _public_key(os.environ["APNS_PRIVATE_KEY"])

    async def notify(request: Request) -> Response:
        if request.scope["http_version"] != "2":
            return Response(status_code=505)
        body = await request.body()
        if reason := _complaint(request, body, key):
            return _refused(reason, 403 if reason == "InvalidProviderToken" else 400)
        alert = orjson.loads(body)["aps"]["alert"]
        told = {name: value for name, value in request.headers.items() if name.startswith("apns-")}
        message = Taken(
            "Sidecart",
            [request.path_params["device"]],
            subject=alert.get("title"),
            text=alert.get("body"),
            headers=told,
        )
        accepted = Response(headers={"apns-id": told.get("apns-id", str(uuid.uuid4()))})
        return await push.take(
            request, message, accepted, lambda status: _refused(_REASONS.get(status, "ServiceUnavailable"), status)
        )

    return [Route("/3/device/{device}", notify, methods=["POST"])]


def _complaint(request: Request, body: bytes, key: ECKey) -> str | None:
    """Return Apple's word for what is wrong with a request."""
    if not _authorized(request.headers.get("authorization", ""), key):
        return "InvalidProviderToken"
    if not _DEVICE.fullmatch(request.path_params["device"]):
        return "BadDeviceToken"
    if not request.headers.get("apns-topic"):
        return "MissingTopic"
    if len(body) > _LARGEST:
        return "PayloadTooLarge"
    try:
        return None if orjson.loads(body)["aps"]["alert"] else "PayloadEmpty"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "PayloadEmpty"


def _authorized(header: str, key: ECKey) -> bool:
    word, _, token = header.partition(" ")
    try:
        told = jwt.decode(token, key, algorithms=["ES256"])
    except (JoseError, ValueError):
        return False
    claims, ours = told.claims, told.header.get("kid") == os.environ["APNS_KEY_ID"]
    fresh = abs(time.time() - float(claims.get("iat", 0))) < _OLDEST_S
    return word.lower() == "bearer" and ours and claims.get("iss") == os.environ["APNS_TEAM_ID"] and fresh


def _public_key(pem: str) -> ECKey:
    public = load_pem_private_key(pem.encode(), None).public_key()
    return ECKey.import_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _refused(reason: str, status: int) -> Response:
    return as_json({"reason": reason}, status)
