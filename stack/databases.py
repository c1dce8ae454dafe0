"""Databases, roles and rights: ensured at each start, changing nothing that is right already."""

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from stack import postgres
from stack.errors import StackError
from stack.home import Home
from stack.secrets_file import POSTGRES_PORT, database_urls


def connect(home: Home, database: str = "postgres") -> psycopg.Connection:
    """Connect as the superuser through the socket, which lets in only the user that owns this system."""
    return psycopg.connect(
        host=str(postgres.directory(home)),
        port=home.port(POSTGRES_PORT),
        user="postgres",
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def ensure(home: Home, secrets: dict[str, str]) -> None:
    """Make roles and databases, set the roles' passwords, and shut each role out of the others' databases."""
    try:
        with connect(home) as server:
            present = _names(server, SQL("SELECT rolname FROM pg_roles"))
            for key, (role, _) in database_urls().items():
                _ensure_role(server, role, _password(secrets[key]), role in present)
            present = _names(server, SQL("SELECT datname FROM pg_database"))
            for database, (owner, _) in _ownership().items():
                if database not in present:
                    server.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(database), Identifier(owner)))
            _shut_out(server)
        for database, (owner, runtime) in _ownership().items():
            with connect(home, database) as inside:
                inside.execute(_rights(owner, runtime))
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise StackError(f"postgres: databases and roles could not be ensured: {said}") from error


def _ownership() -> dict[str, tuple[str, str]]:
    """Return each database with its owner and the role that works in it."""
    pairs: dict[str, list[str]] = {}
    for role, database in database_urls().values():
        pairs.setdefault(database, []).append(role)
    return {
        database: (next((role for role in roles if role.endswith("_owner")), roles[0]), roles[0])
        for database, roles in pairs.items()
    }


def _names(connection: psycopg.Connection, query: SQL) -> set[str]:
    return {row[0] for row in connection.execute(query)}


def _password(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].partition(":")[2]


def _ensure_role(server: psycopg.Connection, role: str, password: str, present: bool) -> None:
    verb = SQL("ALTER" if present else "CREATE")
    server.execute(SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, Identifier(role), Literal(password)))


def _shut_out(server: psycopg.Connection) -> None:
    for database in ("postgres", "template1", *_ownership()):
        server.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(database)))
    for role, database in database_urls().values():
        server.execute(
            SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(Identifier(database), Identifier(role))
        )


def _rights(owner: str, runtime: str) -> Composed:
    """Give the schema to *owner*; *runtime* reads and writes rows of what the owner makes, and makes nothing."""
    schema = SQL("ALTER SCHEMA public OWNER TO {owner}; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    rows = SQL(
        "GRANT USAGE ON SCHEMA public TO {runtime};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {runtime};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {runtime}"
    )
    names = {"owner": Identifier(owner), "runtime": Identifier(runtime)}
    parts = [schema.format(**names)] + ([rows.format(**names)] if owner != runtime else [])
    return SQL("; ").join(parts)
