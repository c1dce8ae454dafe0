import base64
from dataclasses import replace

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.payments.sealing import SealBrokenError, Vault, vault_from

ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def vault(keks: str = f"k1:{ONE}") -> Vault:
    return vault_from(keks, ONE)


def test_what_is_sealed_opens_for_its_own_row_only() -> None:
    blob = vault().seal(b"735192846", "payments:1")
    assert vault().open(blob, "payments:1") == b"735192846"
    assert b"735192846" not in blob
    for other in ("payments:2", "outbox:1", "payments:1|", ""):
        with pytest.raises(SealBrokenError):
            vault().open(blob, other)


def test_every_altered_byte_is_noticed() -> None:
    blob = vault().seal(b"x", "a")
    for at in range(len(blob)):
        with pytest.raises(SealBrokenError):
            vault().open(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :], "a")
        with pytest.raises(SealBrokenError):
            vault().open(blob[:at], "a")


def test_the_same_plaintext_never_looks_the_same() -> None:
    assert len({vault().seal(b"x", "a") for _ in range(50)}) == 50


def test_a_new_current_key_seals_while_the_old_one_still_opens() -> None:
    old = vault().seal_record(b"x", "a")
    both = vault(f"k2:{TWO},k1:{ONE}")
    assert both.open_record(old, "a") == b"x"
    assert both.seal_record(b"x", "a").key_id == "k2"
    with pytest.raises(SealBrokenError, match="k2"):
        vault().open_record(both.seal_record(b"x", "a"), "a")


def test_a_record_does_not_pass_under_another_key_id() -> None:
    same_key_twice = vault(f"k1:{ONE},k2:{ONE}")
    record = same_key_twice.seal_record(b"x", "a")
    with pytest.raises(SealBrokenError):
        same_key_twice.open_record(replace(record, key_id="k2"), "a")


def test_blind_indexes_are_stable_and_apart_by_kind() -> None:
    index = vault().blind("order", b"1")
    assert index == vault(f"k9:{TWO}").blind("order", b"1")
    assert len({index, vault().blind("customer", b"1"), vault_from(f"k1:{ONE}", TWO).blind("order", b"1")}) == 3


@pytest.mark.parametrize(
    ("keks", "blind", "named"),
    [
        ("", ONE, "payments-keks"),
        (ONE, ONE, "payments-keks"),
        ("k1:short", ONE, "payments-keks"),
        (f"k1:{base64.b64encode(b'short').decode()}", ONE, "payments-keks"),
        (f"k1:{ONE},k1:{TWO}", ONE, "payments-keks"),
        (f"k1:{ONE}", "?", "payments-blind-index-key"),
    ],
)
def test_a_wrong_secret_is_named_and_not_repeated(keks: str, blind: str, named: str) -> None:
    with pytest.raises(MisconfiguredError, match=named) as refused:
        vault_from(keks, blind)
    assert "\n" not in str(refused.value)
    assert "short" not in str(refused.value)
