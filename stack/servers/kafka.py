"""Kafka in KRaft mode: one node that is broker and controller, with a password, for one system."""

import base64
import hashlib
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from stack import environment
from stack.addresses import KAFKA_PORT
from stack.home import Home
from stack.program import Check, Program
from stack.servers import jars
from stack.servers.server import MissingServerError, Server
from stack.watched import Progress

ARTIFACT: Final = ("org.apache.kafka", "kafka_2.13", "4.1.1")
CONTROLLER_PORT = 9104
# Quick to start and modest: it shares a small machine with the rest.
_JAVA: Final = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
# "Which versions of your API are there?", the one question that is answered before a password is given.
_QUESTION: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1).hex()


def missing() -> str | None:
    """Say what Java still lacks."""
    return jars.missing(*ARTIFACT)


def programs(home: Home, secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Format the data folder if it is new, and describe the broker."""
    java = [shutil.which("java") or "java", "-cp", f"{jars.folder(*ARTIFACT, progress)}/*", *_JAVA]
    data = home.data / "kafka"
    configuration = _configuration(home, data, secrets)
    if not (data / "meta.properties").exists():
        _format(home, java, configuration)
    port = home.port(KAFKA_PORT)
    broker = Program(
        name="kafka",
        kind="server",
        argv=[*java, "kafka.Kafka", str(configuration)],
        env=environment.inherited(),
        stop_wait_s=30,
        ports={"kafka": port, "controller": home.port(CONTROLLER_PORT)},
        check=Check(via="tcp", port=port, say=_QUESTION),
    )
    return [broker]


def _configuration(home: Home, data: Path, secrets: dict[str, str]) -> Path:
    user, password = secrets["kafka-user"], secrets["kafka-password"]
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    account = f'{login} username="{user}" password="{password}" user_{user}="{password}";'
    client, controller = (f"127.0.0.1:{home.port(port)}" for port in (KAFKA_PORT, CONTROLLER_PORT))
    path = home.run / "kafka.properties"
    path.touch(mode=0o600)
    path.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENT://{client},CONTROLLER://{controller}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.client.plain.sasl.jaas.config={account}
listener.name.controller.plain.sasl.jaas.config={account}
log.dirs={data}
log.retention.hours=48
num.partitions=3
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
    return path


def _format(home: Home, java: list[str], configuration: Path) -> None:
    # one home, one cluster: the same id again after a crash in the middle of this
    cluster = base64.urlsafe_b64encode(hashlib.sha256(str(home.root).encode()).digest()[:16]).decode().rstrip("=")
    command = [
        *java,
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "-t",
        cluster,
        "-c",
        str(configuration),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise MissingServerError(f"kafka: its data folder could not be prepared: {lines[-1]}")


SERVER = Server(
    name="kafka",
    variable="SIDECART_KAFKA_BROKERS",
    ports={"kafka": KAFKA_PORT, "kafka controller": CONTROLLER_PORT},
    processes=frozenset({"kafka"}),
    missing=missing,
    programs=programs,
)
