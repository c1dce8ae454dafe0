"""`secrets.json`: made at first start, kept ever after, checked at every start."""

import base64
import json
import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from stack.errors import StackError
from stack.home import Home

SERVICES = ("users", "orders", "payments", "notifications")
POSTGRES_PORT = 15432
_KEY_32 = r"[A-Za-z0-9+/]{43}="
_LONG = r"[!-~]{16,}"
# What comes before the number itself; whoever reads it derives the public part. No library: each command would load it.
_P256 = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")
_URL = r"postgresql://{role}:[A-Za-z0-9_-]{{16,}}@127\.0\.0\.1:\d+/{database}"


def database_urls() -> dict[str, tuple[str, str]]:
    """Return each key that holds a database address, with its role and database."""
    urls = {f"{name}-database-url": (name, name) for name in SERVICES}
    urls |= {f"{name}-database-owner-url": (f"{name}_owner", name) for name in SERVICES}
    return urls | {"order-details-connection": ("order_details", "order_details")}


MADE_UP = "stand-in-"
"""How a credential begins that no provider knows but our stand-ins: an account's own takes its place."""
_PROVIDERS = (
    "apns-key-id",
    "apns-team-id",
    "postmark-account-token",
    "postmark-server-token",
    "sendgrid-api-key",
    "ses-access-key",
    "ses-secret-key",
    "sns-access-key",
    "sns-secret-key",
    "twilio-account-sid",
    "twilio-auth-token",
)

# Every key of the file, with the shape that its value must have.
SHAPES = {key: _URL.format(role=role, database=database) for key, (role, database) in database_urls().items()} | {
    "valkey-password": r"[A-Za-z0-9_-]{16,}",
    "users-signing-kek": _KEY_32,
    "users-first-admin-password": _LONG,
    "notifications-kek": _KEY_32,
    "notifications-receipts-secret": r"whsec_[A-Za-z0-9+/=]{16,}",
    "payments-keks": rf"k\d+:{_KEY_32}(,k\d+:{_KEY_32})*",
    "payments-blind-index-key": _KEY_32,
    "card-processor-key": r"sk_[!-~]{8,}",
    "card-processor-webhook-secret": r"whsec_[!-+\--~]{8,}(,whsec_[!-+\--~]{8,})*",
    "card-processor-2-key": r"sk_[!-~]{8,}",
    "card-processor-2-webhook-secret": r"[!-+\--~]{16,}(,[!-+\--~]{16,})*",
    "smtp-user": r"[!-~]+",
    "smtp-password": r"[!-~]+",
    "sms-token": r"[!-~]+",
    "push-token": r"[!-~]+",
    **{f"{name}-user": r"[A-Za-z0-9_-]+" for name in ("rabbitmq", "mongodb", "kafka")},
    **{f"{name}-password": r"[A-Za-z0-9_-]+" for name in ("rabbitmq", "mongodb", "kafka")},
    "dynamodb-access-key": r"[!-~]+",
    "dynamodb-secret-key": r"[!-~]+",
    **dict.fromkeys(_PROVIDERS, r"[!-~]+"),
    "apns-private-key": r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+\n-----END PRIVATE KEY-----\n?",
    "dapr-api-token": _LONG,
    "app-api-token": _LONG,
}

# Keys that files of older releases lack: generated where absent. Any other missing key was lost, and a new one in its
# place would lock out what the old one opened.
ADDED_LATER = (
    "users-first-admin-password",
    "notifications-kek",
    "notifications-receipts-secret",
    "card-processor-2-key",
    "card-processor-2-webhook-secret",
    *_PROVIDERS,
    "apns-private-key",
    *(key for key in SHAPES if key.startswith(("rabbitmq-", "mongodb-", "kafka-", "dynamodb-"))),
)


def ensure(home: Home) -> dict[str, str]:
    """Return the secrets, generated with mode 0600 when there are none; raise `StackError` for one that is wrong."""
    if not home.secrets.exists():
        _write(home.secrets, _generate(home.port(POSTGRES_PORT)))
    home.secrets.chmod(0o600)
    values = _follow_port(home, _complete(home, load(home)))
    check(home, values)
    return values


def check(home: Home, values: dict[str, str]) -> None:
    """Raise `StackError` naming file and key for the first value that is missing or of a wrong shape."""
    for key, shape in SHAPES.items():
        if key not in values:
            raise StackError(f"{home.secrets}: {key} is missing: put it back")
        if not re.fullmatch(shape, values[key]):
            raise StackError(f"{home.secrets}: {key} has a wrong value: it must match {shape}")


def load(home: Home) -> dict[str, str]:
    """Read the file as it is; raise `StackError` when it is no flat JSON object of texts."""
    try:
        values = json.loads(home.secrets.read_text())
    except FileNotFoundError as error:
        raise StackError(f"{home.secrets} does not exist yet: `sidecart up` makes it") from error
    except (OSError, ValueError) as error:
        raise StackError(f"{home.secrets}: no readable JSON: {error}") from error
    if not isinstance(values, dict):
        raise StackError(f"{home.secrets}: must be one JSON object")
    for key, value in values.items():
        if not isinstance(value, str):
            raise StackError(f"{home.secrets}: {key} must be a text")
    return values


def replace(home: Home, values: dict[str, str]) -> None:
    """Give keys other values, in one step; raise `StackError` for one of a wrong shape."""
    changed = load(home) | values
    check(home, changed)
    _write(home.secrets, changed)


def _generate(port: int) -> dict[str, str]:
    values = {
        key: f"postgresql://{role}:{secrets.token_urlsafe(24)}@127.0.0.1:{port}/{database}"
        for key, (role, database) in database_urls().items()
    }
    return values | {
        "valkey-password": secrets.token_urlsafe(24),
        "users-signing-kek": _key(),
        "users-first-admin-password": secrets.token_urlsafe(24),
        "notifications-kek": _key(),
        "notifications-receipts-secret": f"whsec_{_key()}",
        "payments-keks": f"k1:{_key()}",
        "payments-blind-index-key": _key(),
        "card-processor-key": f"sk_test_{secrets.token_hex(16)}",
        "card-processor-webhook-secret": f"whsec_{secrets.token_hex(16)}",
        "card-processor-2-key": f"sk_sbox_{secrets.token_hex(16)}",
        "card-processor-2-webhook-secret": secrets.token_hex(32),
        "smtp-user": "sidecart",
        "smtp-password": secrets.token_urlsafe(24),
        "sms-token": secrets.token_urlsafe(24),
        "push-token": secrets.token_urlsafe(24),
        **{f"{name}-user": f"sidecart_{name}" for name in ("rabbitmq", "mongodb", "kafka")},
        **{f"{name}-password": secrets.token_urlsafe(24) for name in ("rabbitmq", "mongodb", "kafka")},
        "dynamodb-access-key": "sidecart_dynamodb",
        "dynamodb-secret-key": secrets.token_urlsafe(24),
        **{key: f"{MADE_UP}{secrets.token_hex(12)}" for key in _PROVIDERS},
        "apns-private-key": signing_key(),
        "dapr-api-token": secrets.token_urlsafe(32),
        "app-api-token": secrets.token_urlsafe(32),
    }


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def signing_key() -> str:
    """Return a key on P-256 in PKCS #8, as Apple hands them out; the first bit is 0, so that it is below the order."""
    scalar = bytes([secrets.randbelow(128), *secrets.token_bytes(31)])
    text = base64.b64encode(_P256 + scalar).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"


def _complete(home: Home, values: dict[str, str]) -> dict[str, str]:
    """Add what came with a newer release."""
    absent = [key for key in ADDED_LATER if key not in values]
    if not absent:
        return values
    fresh = _generate(home.port(POSTGRES_PORT))
    completed = values | {key: fresh[key] for key in absent}
    _write(home.secrets, completed)
    return completed


def _follow_port(home: Home, values: dict[str, str]) -> dict[str, str]:
    """Rewrite the addresses' port when the system moved to another offset."""
    port = home.port(POSTGRES_PORT)
    moved = dict(values)
    for key in database_urls().keys() & values.keys():
        before = urlsplit(values[key]).netloc.rpartition(":")[2]
        moved[key] = values[key].replace(f":{before}/", f":{port}/", 1)
    if moved != values:
        _write(home.secrets, moved)
    return moved


def _write(path: Path, values: dict[str, str]) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(values, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
