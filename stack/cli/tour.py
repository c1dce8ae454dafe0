def demo() -> None:
    """Walk through the system as a client does, printing each call and its answer."""
