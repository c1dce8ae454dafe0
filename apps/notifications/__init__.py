"""Tells customers what happened: renders, addresses and sends, and remembers what became of each message."""
