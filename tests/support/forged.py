"""Access tokens that must not be believed, made as an attacker would make them: from a true one and what is public."""

import base64
import hashlib
import hmac
import json
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

Json = dict[str, Any]


def parts(token: str) -> tuple[Json, Json, str]:
    """Return header, claims and signature."""
    header, claims, signature = token.split(".")
    return _decoded(header), _decoded(claims), signature


def every(token: str, public_key: Json) -> dict[str, str]:
    """Return forgeries of *token* by what is wrong with them."""
    header, claims, signature = parts(token)
    stranger = ECKey.generate_key("P-256")
    admin = claims | {"roles": ["admin"]}
    pem = ECKey.import_key(public_key).as_pem(private=False)
    return {
        "alg none": _joined(header | {"alg": "none"}, admin, ""),
        "alg None, spelt otherwise": _joined(header | {"alg": "nOnE"}, admin, ""),
        "no signature": _joined(header, claims, ""),
        "claims changed": _joined(header, admin, signature),
        "another's key under our key id": jwt.encode(header, claims, stranger, algorithms=["ES256"]),
        "a key of its own in the header": jwt.encode(
            {**header, "kid": "mine", "jwk": stranger.as_dict(private=False)}, claims, stranger, algorithms=["ES256"]
        ),
        "an unknown key id": jwt.encode(header | {"kid": "unknown"}, claims, stranger, algorithms=["ES256"]),
        "HMAC with our public key": _hmac(header, admin, pem),
        "HMAC with our public key's coordinates": _hmac(header, admin, json.dumps(public_key).encode()),
        "signature cut": token[:-8],
        "not a token": "not.a.token",
        "nothing but dots": "..",
    }


def _hmac(header: Json, claims: Json, secret: bytes) -> str:
    unsigned = _joined(header | {"alg": "HS256"}, claims, "")
    digest = hmac.new(secret, unsigned.rstrip(".").encode(), hashlib.sha256).digest()
    return unsigned + _text(digest)


def _joined(header: Json, claims: Json, signature: str) -> str:
    return f"{_text(json.dumps(header).encode())}.{_text(json.dumps(claims).encode())}.{signature}"


def _decoded(part: str) -> Json:
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
