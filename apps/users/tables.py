from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, func
from sqlalchemy.dialects.postgresql import JSONB
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
    sequence: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Session(Base):
    """A sign-in and the refresh tokens that descend from it, of which only the newest generation is good."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    family_hash: Mapped[bytes]
    generation: Mapped[int]
    secret_hash: Mapped[bytes]
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


class SigningKey(Base):
    """A key that signs access tokens; its private part is sealed, the newest signs."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_jwk: Mapped[dict[str, Any]]
    sealed_private_jwk: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
