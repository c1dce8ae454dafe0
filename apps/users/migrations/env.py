"""What Alembic runs: the chassis knows how."""

from apps.chassis.migrate import run_here

run_here()
