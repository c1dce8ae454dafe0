"""Access tokens as clients may send them: good, stale, forged."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from apps.chassis import tokens
from apps.chassis.database import Database
from apps.chassis.problems import ProblemError
from apps.chassis.sidecar import SidecarError
from apps.chassis.tokens import Jwk, Tokens

ISSUER = "http://issuer"
USER = UUID(int=7)
KEY = ECKey.generate_key("P-256")
KID = KEY.thumbprint()
STRANGER = ECKey.generate_key("P-256")


class Shelf:
    """A database that keeps the keys it is given."""

    def __init__(self) -> None:
        self.kept: list[Jwk] = []

    async def execute(self, _statement: Any, values: dict[str, Any]) -> None:
        if "jwks" in values:
            self.kept = [json.loads(jwk) for jwk in values["jwks"]]

    async def scalars(self, _statement: Any) -> list[Jwk]:
        return self.kept

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Shelf"]:
        yield self


class Users:
    """The service that publishes keys."""

    def __init__(self, *keys: ECKey) -> None:
        self.keys = keys
        self.away = False
        self.asked = 0

    async def __call__(self) -> Sequence[Jwk]:
        self.asked += 1
        if self.away:
            raise SidecarError("users is away")
        return [published(key) for key in self.keys]


def published(key: ECKey) -> Jwk:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "sub": str(USER), "aud": "sidecart", "exp": now + 600, "iat": now, "roles": ["customer"]}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def made(key: ECKey = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    head = {"alg": "ES256", "typ": "at+jwt", "kid": key.thumbprint(), **(header or {})}
    return jwt.encode(head, claims(**changes), key, algorithms=["ES256"])


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def unsigned(**header: Any) -> str:
    return part({"typ": "at+jwt", "kid": KID, **header}) + "." + part(claims())


def keyed_with(secret: bytes) -> str:
    """Sign with what everybody knows, as if it were a shared secret."""
    signed = unsigned(alg="HS256")
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def keyed_otherwise() -> str:
    return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": KID}, claims(), RSAKey.generate_key(2048))


def verifier(users: Users, shelf: Shelf | None = None) -> Tokens:
    return Tokens(ISSUER, cast("Database", shelf or Shelf()), users)


async def refusal(verifying: Tokens, token: str) -> tuple[int, str]:
    with pytest.raises(ProblemError) as refused:
        await verifying.principal(f"Bearer {token}")
    return refused.value.problem.status, refused.value.problem.slug


async def test_a_good_token_says_who_calls() -> None:
    session = UUID(int=9)
    token = made(sid=str(session), roles=["customer", "staff"], scope="orders payments", email_verified=True)
    principal = await verifier(Users(KEY)).principal(f"bearer {token}")
    assert (principal.id, principal.session_id, principal.email_verified) == (USER, session, True)
    assert principal.roles == {"customer", "staff"}
    assert principal.scopes == {"orders", "payments"}


FORGED: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: unsigned(alg="none") + ".",
    "no algorithm, otherwise spelt": lambda: unsigned(alg="None") + ".",
    "no signature": lambda: unsigned(alg="ES256") + ".",
    "the public key as a shared secret, PEM": lambda: keyed_with(KEY.as_pem(private=False)),
    "the public key as a shared secret, JWK": lambda: keyed_with(json.dumps(published(KEY)).encode()),
    "another's key under our key's id": lambda: made(STRANGER, {"kid": KID}),
    "another's key under its own id": lambda: made(STRANGER),
    "another's key that the token brings along": lambda: made(STRANGER, {"kid": KID, "jwk": published(STRANGER)}),
    "another algorithm": keyed_otherwise,
    "another audience": lambda: made(aud="elsewhere"),
    "no audience": lambda: made(aud=None),
    "another issuer": lambda: made(iss="http://elsewhere"),
    "no issuer": lambda: made(iss=None),
    "expired": lambda: made(exp=int(time.time()) - 1),
    "never expires": lambda: made(exp=None),
    "an expiry that is no number": lambda: made(exp="9999999999"),
    "not yet": lambda: made(nbf=int(time.time()) + 60),
    "another type": lambda: made(header={"typ": "JWT"}),
    "no subject": lambda: made(sub=None),
    "a subject that is no id": lambda: made(sub="admin"),
    "roles that are no list": lambda: made(roles=5),
    "another's claims": lambda: ".".join([made().split(".")[0], part(claims(roles=["admin"])), made().split(".")[2]]),
    "no token at all": lambda: "x",
    "empty parts": lambda: "..",
    "no JSON": lambda: "a.b.c",
    "header is no object": lambda: part([1]) + "..",
    "not ASCII": lambda: "é.é.é",
    "a key id that is no text": lambda: unsigned(alg="ES256", kid=5) + ".AA",
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_or_stale_token_is_refused(forge: Callable[[], str]) -> None:
    assert await refusal(verifier(Users(KEY)), forge()) == (401, "token-not-valid")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc"])
async def test_without_a_token_one_is_asked_for(header: str | None) -> None:
    with pytest.raises(ProblemError) as refused:
        await verifier(Users(KEY)).principal(header)
    assert (refused.value.problem.status, refused.value.problem.slug) == (401, "token-required")


async def test_a_verified_token_is_refused_once_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    verifying, token = verifier(Users(KEY)), made()
    await verifying.principal(f"Bearer {token}")
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert await refusal(verifying, token) == (401, "token-not-valid")


async def test_without_any_key_the_answer_is_503_also_when_asked_again_at_once() -> None:
    users = Users(KEY)
    users.away = True
    verifying = verifier(users)
    assert await refusal(verifying, made()) == (503, "keys-unavailable")
    assert await refusal(verifying, made()) == (503, "keys-unavailable")
    assert users.asked == 1
    assert not verifying.knows_a_key


async def test_kept_keys_verify_while_users_is_away() -> None:
    users, shelf = Users(KEY), Shelf()
    await verifier(users, shelf).fetch()
    users.away = True
    again = verifier(users, shelf)
    await again._load()
    assert again.knows_a_key
    assert (await again.principal(f"Bearer {made()}")).id == USER


async def test_a_new_key_is_asked_for_and_a_withdrawn_one_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_UNKNOWN_KEY_PAUSE_S", 0.0)
    users = Users(KEY)
    verifying, old = verifier(users), made()
    await verifying.principal(f"Bearer {old}")
    users.keys = (STRANGER,)
    assert (await verifying.principal(f"Bearer {made(STRANGER)}")).id == USER
    assert await refusal(verifying, old) == (401, "token-not-valid")


async def test_unknown_keys_are_no_load_on_users() -> None:
    users = Users(KEY)
    verifying = verifier(users)
    for _ in range(20):
        assert await refusal(verifying, made(STRANGER)) == (401, "token-not-valid")
    assert users.asked == 1


async def test_a_second_check_costs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    verifying, token = verifier(Users(KEY)), made()
    first = await verifying.principal(f"Bearer {token}")
    monkeypatch.setattr(verifying, "_decode", None)
    assert await verifying.principal(f"Bearer {token}") is first


@pytest.mark.soak
async def test_a_check_takes_at_most_150_microseconds_after_warm_up() -> None:
    users = Users(KEY)
    verifying, tokens_ = verifier(users), [f"Bearer {made(sid=str(UUID(int=number)))}" for number in range(500)]
    rounds = {"first": 0.0, "later": 0.0}
    for name in rounds:
        began = time.perf_counter()
        for token in tokens_:
            await verifying.principal(token)
        rounds[name] = (time.perf_counter() - began) / len(tokens_) * 1e6
    print({name: f"{microseconds:.1f} µs" for name, microseconds in rounds.items()})
    assert rounds["later"] <= 150
    assert users.asked == 1, "no call to users on the hot path"
