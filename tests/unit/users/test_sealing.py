import base64

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.users.sealing import Sealer

KEY = bytes(range(32))
SEALED = Sealer(KEY).seal(b"private", "signing_keys:a")


def test_what_is_sealed_opens_for_the_same_row_only() -> None:
    assert Sealer(KEY).open(SEALED, "signing_keys:a") == b"private"
    with pytest.raises(ValueError, match="another key, or altered"):
        Sealer(KEY).open(SEALED, "signing_keys:b")


def test_the_plain_text_does_not_show_and_no_two_seals_are_alike() -> None:
    assert b"private" not in SEALED
    assert Sealer(KEY).seal(b"private", "signing_keys:a") != SEALED


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(ValueError, match="another key, or altered"):
        Sealer(bytes(32)).open(SEALED, "signing_keys:a")


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_no_byte_can_be_altered(position: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= 1
    with pytest.raises(ValueError, match=r"altered|unknown form"):
        Sealer(KEY).open(bytes(altered), "signing_keys:a")


@pytest.mark.parametrize("length", [0, 1, 12, 20])
def test_a_stump_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"altered|unknown form|[Nn]once"):
        Sealer(KEY).open(SEALED[:length], "signing_keys:a")


@pytest.mark.parametrize("text", ["", "no base64 §", base64.b64encode(bytes(31)).decode(), "A" * 44])
def test_a_secret_that_is_no_key_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(MisconfiguredError, match="users-signing-kek") as refused:
        Sealer.from_secret(text)
    assert not text or text not in str(refused.value)


def test_the_secret_is_the_base64_of_the_key() -> None:
    assert Sealer.from_secret(base64.b64encode(KEY).decode()).open(SEALED, "signing_keys:a") == b"private"
