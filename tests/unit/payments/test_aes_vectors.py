"""AES-256-GCM against NIST's vectors (McGrew and Viega's specification of GCM, test cases 13 to 16)."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY = "feffe9928665731c6d6a8f9467308308" * 2
_NONCE = "cafebabefacedbaddecaf888"
_PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
_SEALED = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
_BOUND = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
VECTORS = [
    ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    ("00" * 32, "00" * 12, "00" * 16, "", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"),
    (_KEY, _NONCE, _PLAIN, "", _SEALED, "b094dac5d93471bdec1a502270e3cc6c"),
    (_KEY, _NONCE, _PLAIN[:120], _BOUND, _SEALED[:120], "76fc6ece0f4e1768cddf8853bb2d551b"),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_cipher_is_the_one_that_nist_describes(vector: tuple[str, ...]) -> None:
    key, nonce, plain, bound, sealed, tag = (bytes.fromhex(part) for part in vector)
    cipher, whole = AESGCM(key), sealed + tag
    assert cipher.encrypt(nonce, plain, bound) == whole
    assert cipher.decrypt(nonce, whole, bound) == plain
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 1
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, bytes(altered), bound)
