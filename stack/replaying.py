"""Publishing again, under the same ids, what services said in the last moments before and during a swap."""

from datetime import datetime

from psycopg.sql import SQL, Identifier

from stack import databases
from stack.home import Home
from stack.program import load_all
from stack.progress import Progress


def replay(home: Home, since: datetime, progress: Progress) -> None:
    """Let each relay publish again what it published since *since*: whoever heard it already takes no notice."""
    total = 0
    for service in [program.name for program in load_all(home) if program.kind == "app" and "-" not in program.name]:
        with databases.connect(home, service) as connection:
            has_outbox = connection.execute("SELECT to_regclass('outbox')").fetchone()
            if has_outbox == (None,):
                continue
            query = SQL("UPDATE {} SET published_at = NULL WHERE published_at >= %s").format(Identifier("outbox"))
            total += connection.execute(query, [since]).rowcount
    progress.say(f"published again: {total} facts since {since:%H:%M:%S}")
