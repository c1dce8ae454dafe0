"""RabbitMQ, run without its wrapper scripts: those insist on a system user and on the machine's one set of folders."""

from pathlib import Path
from typing import Final

from stack import environment
from stack.addresses import RABBITMQ_PORT
from stack.home import Home
from stack.program import Check, Program
from stack.servers import debian
from stack.servers.container import Image
from stack.servers.server import MissingServerError, Server
from stack.watched import Progress

PACKAGE, FAMILY = "rabbitmq-server", r"rabbitmq-server|erlang-[a-z0-9-]+"
# Erlang's own port and the directory of its nodes, both for this node alone.
NODE_PORT, DIRECTORY_PORT = 5675, 5676
_GREETING: Final = b"AMQP\x00\x00\x09\x01".hex()
# As the wrapper would pass them, but that nothing waits in a busy loop: two cores are shared with all the rest.
_MACHINE: Final = (
    *("+W", "w", "+P", "1048576", "+t", "5000000", "+stbt", "db", "+zdbbl", "128000"),
    *("+MBas", "ageffcbf", "+MHas", "ageffcbf", "+MBlmbcs", "512", "+MHlmbcs", "512", "+MMmcs", "30"),
    *("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"),
)


def missing() -> str | None:
    """Look on this machine first, then whether Debian has it."""
    return None if _installed(Path("/")) else debian.missing(PACKAGE)


def programs(home: Home, secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Describe the directory of nodes and the broker."""
    found = _installed(Path("/")) or _installed(debian.unpacked(PACKAGE, FAMILY, progress))
    if found is None:
        raise MissingServerError(f"{PACKAGE}: the fetched packages hold no server: install {PACKAGE} yourself")
    erlang, server = found
    data = home.data / "rabbitmq"
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "plugins").write_text("[].")
    runtime = next(erlang.glob("erts-*/bin"))
    env = _environment(home, runtime, server, _configuration(home, secrets))
    return [_directory(home, runtime, env), _broker(home, erlang, runtime, env)]


def _installed(root: Path) -> tuple[Path, Path] | None:
    """Return Erlang's folder and the newest server's below *root*, if both are there."""
    erlang = root / "usr/lib/erlang"
    servers = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return (erlang, servers[-1]) if servers and list(erlang.glob("erts-*/bin/erlexec")) else None


def _configuration(home: Home, secrets: dict[str, str]) -> Path:
    path = home.run / "rabbitmq.conf"
    path.touch(mode=0o600)
    path.write_text(f"""listeners.tcp.local = 127.0.0.1:{home.port(RABBITMQ_PORT)}
default_user = {secrets["rabbitmq-user"]}
default_pass = {secrets["rabbitmq-password"]}
""")
    return path


def _environment(home: Home, runtime: Path, server: Path, configuration: Path) -> dict[str, str]:
    data = home.data / "rabbitmq"
    return environment.inherited() | {
        # its cookie lies in HOME; another system's must not be found
        "HOME": str(data),
        "ROOTDIR": str(runtime.parents[1]),
        "BINDIR": str(runtime),
        "EMU": "beam",
        "PROGNAME": "erl",
        "ERL_LIBS": str(server / "plugins"),
        "ERL_EPMD_PORT": str(home.port(DIRECTORY_PORT)),
        "RABBITMQ_HOME": str(server),
        "RABBITMQ_PLUGINS_DIR": str(server / "plugins"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
        "RABBITMQ_NODENAME": "sidecart@localhost",
        "RABBITMQ_DIST_PORT": str(home.port(NODE_PORT)),
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(home.logs),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }


def _directory(home: Home, runtime: Path, env: dict[str, str]) -> Program:
    port = home.port(DIRECTORY_PORT)
    return Program(
        name="rabbitmq-epmd",
        kind="server",
        argv=[str(runtime / "epmd"), "-port", str(port), "-address", "127.0.0.1"],
        env=env,
        ports={"epmd": port},
        check=Check(via="tcp", port=port),
    )


def _broker(home: Home, erlang: Path, runtime: Path, env: dict[str, str]) -> Program:
    port = home.port(RABBITMQ_PORT)
    options = ["-noinput", "-s", "rabbit", "boot", "-boot", str(erlang / "bin" / "start_sasl"), *_MACHINE]
    # The directory is a process of ours: one that Erlang starts by itself outlives everything.
    options += ["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
    options += ["-kernel", "prevent_overlapping_partitions", "false"]
    options += ["-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false"]
    return Program(
        name="rabbitmq",
        kind="server",
        argv=[str(runtime / "erlexec"), *options],
        env=env,
        cwd=str(home.data / "rabbitmq"),
        stop_wait_s=30,
        ports={"amqp": port, "node": home.port(NODE_PORT)},
        check=Check(via="tcp", port=port, say=_GREETING),
    )


SERVER = Server(
    name="rabbitmq",
    variable="SIDECART_RABBITMQ_ADDRESS",
    ports={"rabbitmq": RABBITMQ_PORT, "rabbitmq node": NODE_PORT, "rabbitmq-epmd": DIRECTORY_PORT},
    processes=frozenset({"rabbitmq", "rabbitmq-epmd"}),
    missing=missing,
    programs=programs,
    image=Image(
        name="rabbitmq:4",
        port=5672,
        data="/var/lib/rabbitmq",
        env=lambda secrets, _: {
            "RABBITMQ_DEFAULT_USER": secrets["rabbitmq-user"],
            "RABBITMQ_DEFAULT_PASS": secrets["rabbitmq-password"],
        },
        say=bytes.fromhex(_GREETING),
    ),
)
