import base64
from typing import cast

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.chassis.sidecar import Sidecar
from apps.notifications.app import SERVICE
from apps.notifications.sealing import Sealer

KEY = bytes(range(32))
SEALED = Sealer(KEY).seal(b'{"token": "abc"}', "messages:a")


class Secrets:
    def __init__(self, kek: str) -> None:
        self._kept = {"notifications-kek": kek}

    async def secret(self, name: str) -> str:
        return self._kept[name]


async def test_the_service_seals_its_outbox_dead_letters_and_replies() -> None:
    codec = await SERVICE.codec(cast("Sidecar", Secrets(base64.b64encode(KEY).decode())))
    sealed = codec.seal(b'{"token": "abc"}', "dead_letters:1")
    assert b"abc" not in sealed
    assert codec.open(sealed, "dead_letters:1") == b'{"token": "abc"}'


@pytest.mark.parametrize("text", ["", "no base64 §", base64.b64encode(bytes(31)).decode()])
async def test_a_secret_that_is_no_key_ends_the_start_and_is_not_shown(text: str) -> None:
    with pytest.raises(MisconfiguredError, match="notifications-kek") as refused:
        await SERVICE.codec(cast("Sidecar", Secrets(text)))
    assert not text or text not in str(refused.value)


def test_what_is_sealed_opens_for_its_own_row_and_under_its_own_key_only() -> None:
    assert Sealer(KEY).open(SEALED, "messages:a") == b'{"token": "abc"}'
    with pytest.raises(ValueError, match="messages:b was sealed under another key, or altered"):
        Sealer(KEY).open(SEALED, "messages:b")
    with pytest.raises(ValueError, match="another key"):
        Sealer(bytes(32)).open(SEALED, "messages:a")


@pytest.mark.parametrize("position", range(1, len(SEALED)))
def test_no_byte_can_be_altered(position: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= 1
    with pytest.raises(ValueError, match="altered"):
        Sealer(KEY).open(bytes(altered), "messages:a")


@pytest.mark.parametrize("length", [0, 1, 12, 20])
def test_a_stump_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"altered|unknown form"):
        Sealer(KEY).open(SEALED[:length], "messages:a")


def test_a_row_from_before_there_was_a_key_is_read() -> None:
    assert Sealer(KEY).open(b'{"topic": "outgoing-orders"}', "outbox:a") == b'{"topic": "outgoing-orders"}'
