"""Alembic's entry: how migrations run is the chassis' affair."""

from apps.chassis.migrate import run_here

run_here()
