import base64
from typing import cast

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.chassis.sidecar import Sidecar
from apps.users.app import SERVICE


class Secrets:
    def __init__(self, kek: str) -> None:
        self._kept = {"users-signing-kek": kek}

    async def secret(self, name: str) -> str:
        return self._kept[name]


async def test_what_leaves_by_the_outbox_is_sealed_since_mails_carry_tokens() -> None:
    codec = await SERVICE.codec(cast("Sidecar", Secrets(base64.b64encode(bytes(32)).decode())))
    sealed = codec.seal(b'{"token": "abc"}', "outbox:1")
    assert b"abc" not in sealed
    assert codec.open(sealed, "outbox:1") == b'{"token": "abc"}'


async def test_a_secret_that_is_no_key_ends_the_start() -> None:
    with pytest.raises(MisconfiguredError, match="users-signing-kek"):
        await SERVICE.codec(cast("Sidecar", Secrets("c2hvcnQ=")))
