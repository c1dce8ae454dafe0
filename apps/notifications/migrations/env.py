"""Alembic runs this; how a migration runs is the chassis' business."""

from apps.chassis.migrate import run_here

run_here()
