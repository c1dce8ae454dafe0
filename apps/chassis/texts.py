"""What can be kept as text."""

from typing import Final

STORABLE: Final = r"^[^\x00]*$"
"""The pattern of it: PostgreSQL takes any character but NUL."""
