"""Alembic asks this module how to run; the answer is the same for every service."""

from apps.chassis.migrate import run_here

run_here()
