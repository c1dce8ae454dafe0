"""Lists by status, search by number, and the orders that changed and wait for their payment."""

from alembic import op

from apps.orders.migrations.online import index_statements

revision = "0005"
down_revision = "0004"

_INDEXES = {
    "orders_status": "(status, id DESC)",
    "orders_number": "(number)",
    "orders_owing": "(asked_at NULLS FIRST, id) WHERE payment_status IN ('pending', 'unknown') "
    "AND status IN ('paid', 'partly_shipped')",
}


def upgrade() -> None:
    """Build each month's index beside whatever runs; what an interrupted run left is built anew."""
    context = op.get_context()
    with context.autocommit_block():
        for name, definition in _INDEXES.items():
            months = op.get_bind().exec_driver_sql(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'orders'::regclass ORDER BY 1"
            )
            for statement in index_statements(name, "orders", definition, list(months.scalars())):
                op.execute(statement)
