from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database
from apps.chassis.idempotency import IdempotencyKey, Replayed
from apps.chassis.problems import ProblemError
from tests.store.chassis.conftest import count


class Made(BaseModel):
    name: str


def key(value: UUID) -> IdempotencyKey:
    return IdempotencyKey(PlainCodec(), value, b"content")


async def test_an_answer_kept_between_the_look_and_the_reply_undoes_the_second_effect(database: Database) -> None:
    """The lock was free and the look saw nothing: what another committed in that instant is met at the end."""
    same = uuid4()
    kept = "INSERT INTO idempotent_replies (key, fingerprint, reply) VALUES (:key, 'content', '{}')"
    with pytest.raises(ProblemError, match="in progress"):
        async with database.transaction() as second:
            once = await key(same).begin(second)
            async with database.transaction() as first:
                await first.execute(text(kept), {"key": same})
            await second.execute(text("INSERT INTO effects VALUES ('twice')"))
            await once.reply(Made(name="b"), 201)
    assert await count(database, "effects") == 0


async def test_recalling_claims_nothing_and_needs_no_transaction(database: Database) -> None:
    same = uuid4()
    async with database.reading() as connection:
        await key(same).recall(connection)
        async with database.transaction() as tx:
            await (await key(same).begin(tx)).reply(Made(name="a"), 201)
        with pytest.raises(Replayed) as known:
            await key(same).recall(connection)
    assert known.value.answer.status_code == 201


async def test_a_connection_lent_for_reading_begins_transactions_again_afterwards(database: Database) -> None:
    for _ in range(12):
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO effects VALUES ('undone')"))
            raise ZeroDivisionError
    assert await count(database, "effects") == 0
