"""Where nobody has prepared a database, as on Kubernetes, the migration admits the role that serves."""

import subprocess
import sys

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from tests.support.documents import CHECKOUT
from tests.support.postgres import Cluster

OWNER, RUNTIME, DATABASE = "bare_owner", "bare_runtime", "bare_orders"


@pytest.fixture
def migrated(postgres_cluster: Cluster) -> Cluster:
    with postgres_cluster.connect("postgres", "postgres") as server:
        for role in (OWNER, RUNTIME):
            server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
        server.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(DATABASE), Identifier(OWNER)))
    env = {"ORDERS_DATABASE_OWNER_URL": postgres_cluster.url(OWNER, DATABASE), "ORDERS_DATABASE_RUNTIME_ROLE": RUNTIME}
    for _ in ("the first release", "the next"):
        command = [sys.executable, "-m", "apps.chassis.migrate", "orders"]
        done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    return postgres_cluster


def test_it_reads_and_writes_rows_now_and_later_and_makes_no_table(migrated: Cluster) -> None:
    with migrated.connect(OWNER, DATABASE) as owner:
        owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, name text)")
    with migrated.connect(RUNTIME, DATABASE) as serving:
        serving.execute("INSERT INTO outbox (id, envelope) VALUES (uuidv7(), '')")
        serving.execute("INSERT INTO later (name) VALUES ('a')")
        assert serving.execute("SELECT count(*) FROM outbox").fetchone() == (1,)
        with pytest.raises(InsufficientPrivilege):
            serving.execute("CREATE TABLE mine (id int)")


def test_nobody_else_is_let_in(postgres_cluster: Cluster) -> None:
    with postgres_cluster.connect("postgres", "postgres") as server:
        server.execute("CREATE ROLE stranger LOGIN")
    with postgres_cluster.connect("stranger", DATABASE) as stranger, pytest.raises(psycopg.Error):
        stranger.execute("SELECT * FROM outbox")
