"""Kafka in KRaft mode: one node that is broker and controller, with a password, for one system."""

import base64
import hashlib
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

import yaml

from stack import environment
from stack.addresses import KAFKA_PORT
from stack.home import Home
from stack.program import Check, Program
from stack.servers import jars, kafka_topics
from stack.servers.container import Image
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
    client, controller = (f"127.0.0.1:{home.port(port)}" for port in (KAFKA_PORT, CONTROLLER_PORT))
    path = home.run / "kafka.properties"
    path.touch(mode=0o600)
    lines = _settings(secrets, f"CLIENT://{client}", f"CONTROLLER://{controller}", f"CLIENT://{client}", str(data))
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return path


def _settings(secrets: dict[str, str], client: str, controller: str, known_as: str, data: str) -> dict[str, str]:
    """Return the broker's properties: where it listens, and where clients are told that it does."""
    user, password = secrets["kafka-user"], secrets["kafka-password"]
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    account = f'{login} username="{user}" password="{password}" user_{user}="{password}";'
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller.rpartition('/')[2]}",
        "listeners": f"{client},{controller}",
        "advertised.listeners": known_as,
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": account,
        "listener.name.controller.plain.sasl.jaas.config": account,
        "log.dirs": data,
        "log.retention.hours": "48",
        "num.partitions": "3",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }


def _in_its_image(secrets: dict[str, str], port: int) -> dict[str, str]:
    """Return the properties as the image reads them: KAFKA_, and a line below for each dot."""
    data, own = "/var/lib/kafka/data", "INTERNAL://127.0.0.1:9094"
    client, controller = "CLIENT://0.0.0.0:9092", "CONTROLLER://127.0.0.1:9093"
    found = _settings(secrets, f"{client},{own}", controller, f"CLIENT://127.0.0.1:{port},{own}", data)
    # Inside, nothing listens at the port that clients are told: the broker reaches itself by another way.
    found["inter.broker.listener.name"] = "INTERNAL"
    found["listener.security.protocol.map"] += ",INTERNAL:SASL_PLAINTEXT"
    found["listener.name.internal.plain.sasl.jaas.config"] = found["listener.name.client.plain.sasl.jaas.config"]
    return {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in found.items()}


def prepare(home: Home, secrets: dict[str, str]) -> None:
    """Make the topics that this system's subscriptions name."""
    specs = [yaml.safe_load(path.read_text()) or {} for path in home.resources.glob("*.yaml")]
    mine = [it["spec"] for it in specs if it.get("kind") == "Subscription"]
    topics = {str(spec[name]) for spec in mine for name in ("topic", "deadLetterTopic") if spec.get(name)}
    kafka_topics.create(home.port(KAFKA_PORT), secrets["kafka-user"], secrets["kafka-password"], topics)


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
    image=Image(
        name="apache/kafka:4.1.1",
        port=9092,
        data="/var/lib/kafka/data",
        env=_in_its_image,
        say=bytes.fromhex(_QUESTION),
    ),
    prepare=prepare,
)
