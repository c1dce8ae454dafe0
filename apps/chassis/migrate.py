"""Bring one service's database to its newest schema: `python -m apps.chassis.migrate orders`."""

import os
import sys
from importlib import resources

from alembic import command, context
from alembic.config import Config
from sqlalchemy import create_engine, make_url, pool, text

# A migration that cannot get its lock soon gives up rather than hold up every request behind it.
_LOCK_TIMEOUT = "5s"
_ONE_AT_A_TIME = 0x51DECA28


def upgrade(service: str, owner_url: str, revision: str = "head") -> None:
    """Apply the migrations of *service* as the owner of its tables."""
    config = Config()
    config.set_main_option("script_location", str(resources.files(f"apps.{service}") / "migrations"))
    config.attributes["owner_url"] = owner_url
    command.upgrade(config, revision)


def admit(runtime: str, owner_url: str) -> None:
    """Let *runtime* read and write rows of what the owner has made and will make, and make nothing itself."""
    engine = create_engine(make_url(owner_url).set(drivername="postgresql+psycopg"), poolclass=pool.NullPool)
    role = engine.dialect.identifier_preparer.quote(runtime)
    with engine.begin() as connection:
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
        for rights, kind in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
            connection.execute(text(f"GRANT {rights} ON ALL {kind} IN SCHEMA public TO {role}"))
            connection.execute(text(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {kind} TO {role}"))


def run_here() -> None:
    """Run within Alembic's env.py: one connection, one transaction per migration, one migrator at a time."""
    url = make_url(context.config.attributes["owner_url"]).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=pool.NullPool, connect_args={"options": f"-c lock_timeout={_LOCK_TIMEOUT}"})
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _ONE_AT_A_TIME})
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


def main(arguments: list[str]) -> None:
    """Read the owner's address from the environment and upgrade; where it names one, admit the role that serves."""
    if len(arguments) != 1:
        sys.exit("usage: python -m apps.chassis.migrate SERVICE")
    service = arguments[0]
    variable = f"{service.upper()}_DATABASE_OWNER_URL"
    if not (url := os.environ.get(variable)):
        sys.exit(f"{service}: setting {variable} is missing; give the address of the database with its owner's role")
    upgrade(service, url)
    if runtime := os.environ.get(f"{service.upper()}_DATABASE_RUNTIME_ROLE"):
        admit(runtime, url)


if __name__ == "__main__":
    main(sys.argv[1:])
