class StackError(Exception):
    """What went wrong, where, and what to do, in the one line that a person is shown."""
