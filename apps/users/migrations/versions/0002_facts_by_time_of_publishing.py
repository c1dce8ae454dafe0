"""Find published facts by when they were published, so that a stretch of time can be published again."""

from alembic import op

from apps.chassis import schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Build the index beside whatever runs; an interrupted one is built anew."""
    with op.get_context().autocommit_block():
        for statement in schema.statements_v2():
            op.execute(statement)
