"""How any service runs here; it knows no business word, and is the only Python that knows Dapr."""
