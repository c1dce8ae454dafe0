from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The service's own tables; migrations are what makes them."""

    type_annotation_map = {datetime: DateTime(timezone=True), list[str]: ARRAY(Text), dict[str, Any]: JSONB}  # noqa: RUF012  # SQLAlchemy's own form


class User(Base):
    """An account; `sequence` counts the facts published about it."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_verified: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str]
    name: Mapped[str | None]
    phone: Mapped[str | None]
    locale: Mapped[str]
    timezone: Mapped[str]
    roles: Mapped[list[str]]
    status: Mapped[str] = mapped_column(default="active")
    sequence: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Session(Base):
    """A sign-in and the refresh tokens that descend from it: the newest is good, the one before for seconds."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    family_hash: Mapped[bytes]
    generation: Mapped[int]
    secret_hash: Mapped[bytes]
    previous_hash: Mapped[bytes | None]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class OneTimeToken(Base):
    """What a mail proves: that its reader owns `email`. Used by being deleted."""

    __tablename__ = "one_time_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    purpose: Mapped[str]
    email: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class EmailChange(Base):
    """A new address that waits for a word from both ends."""

    __tablename__ = "email_changes"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    old_email: Mapped[str]
    new_email: Mapped[str]
    old_confirmed_at: Mapped[datetime | None]
    new_confirmed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class SecondFactor(Base):
    """A TOTP secret, sealed; good once confirmed. `last_step` is the newest code used, and no earlier one is taken."""

    __tablename__ = "second_factors"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed_secret: Mapped[bytes]
    last_step: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """What stands in for a lost second factor, once. Used by being deleted."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)


class SigningKey(Base):
    """A key that signs access tokens, from `signs_from` on; its private part is sealed, the newest that may signs."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_jwk: Mapped[dict[str, Any]]
    sealed_private_jwk: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    signs_from: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEvent(Base):
    """What happened to an account: who did it, when, from where, and how it ended."""

    __tablename__ = "audit_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    user_id: Mapped[UUID | None]
    actor: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    detail: Mapped[dict[str, Any]]


class MachineClient(Base):
    """A program with an identity of its own, and what it may do."""

    __tablename__ = "machine_clients"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class MachineSecret(Base):
    """One of at most two secrets of a client; the older one expires soon after the newer was made."""

    __tablename__ = "machine_secrets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    secret_hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
