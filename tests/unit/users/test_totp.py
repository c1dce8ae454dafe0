import base64
import re

import pytest

from apps.users import totp

# RFC 6238, appendix B, SHA-1: eight digits, of which an authenticator app shows the last six.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
    (2000000000, "69279037"), (20000000000, "65353130"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "eight"), VECTORS)
def test_the_vectors_of_the_rfc_hold(at: int, eight: str) -> None:
    assert totp.matching_step(SECRET, eight[-6:], at) == at // 30


@pytest.mark.parametrize(("at", "eight"), VECTORS[1:])
def test_half_a_minute_of_drift_is_borne_either_way_and_no_more(at: int, eight: str) -> None:
    step, code = at // 30, eight[-6:]
    assert totp.matching_step(SECRET, code, (step + 1) * 30) == step
    assert totp.matching_step(SECRET, code, (step - 1) * 30) == step
    assert totp.matching_step(SECRET, code, (step + 2) * 30) is None
    assert totp.matching_step(SECRET, code, (step - 2) * 30) is None


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708a", "٢٨٧٠٨٢", " 287082", "94287082"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert totp.matching_step(SECRET, code, 59) is None


def test_a_secret_has_160_bits_and_no_two_are_alike() -> None:
    first, second = totp.new_secret(), totp.new_secret()
    assert len(base64.b32decode(first)) == 20
    assert first != second


def test_the_uri_is_what_apps_read() -> None:
    uri = totp.uri(SECRET, "ada@example.org")
    assert uri == f"otpauth://totp/Sidecart:ada%40example.org?secret={SECRET}&issuer=Sidecart"


def test_recovery_codes_can_be_read_out_and_typed_sloppily() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.CODES
    assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){5}", code) and not set(code) & set("il1o0") for code in codes)
    assert totp.plain_recovery_code(f" {codes[0].upper().replace('-', ' ')} ") == codes[0].replace("-", "")
