"""Charges what was ordered, once, and gives back what was cancelled."""
