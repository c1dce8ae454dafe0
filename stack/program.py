"""What one supervised process is: its command, its environment and how to tell that it is ready."""

import json
import signal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from stack.home import CHECKOUT, Home

Kind = Literal["app", "sidecar", "server", "stand-in"]


class Check(BaseModel):
    """How readiness is asked; `port` is a real port, offset included."""

    via: Literal["http", "postgres", "valkey", "tcp"]
    port: int
    path: str = "/"
    # For tcp: bytes in hexadecimal that any answer to is a yes; when empty, being let in is.
    say: str = ""


class Program(BaseModel):
    """A process that the supervisor keeps; written to run/programs, where launcher and commands read it."""

    name: str
    kind: Kind
    argv: list[str]
    env: dict[str, str] = {}
    env_from_files: dict[str, str] = {}
    cwd: str = str(CHECKOUT)
    user: str | None = None
    # Sent by the kernel when the supervisor dies, whatever the cause: nothing outlives it.
    death_signal: int = signal.SIGKILL
    stop_signal: Literal["TERM", "INT"] = "TERM"
    stop_wait_s: int = 15
    # Told to stop, it takes no more work and goes on serving its app; told once more, it ends.
    lingers: bool = False
    ports: dict[str, int]
    check: Check

    def write(self, home: Home) -> Path:
        """Store this under run/programs with mode 0600: its environment holds tokens."""
        path = home.programs / f"{self.name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.model_dump() | launch_fields(home, self.name)))
        return path


def launch_fields(home: Home, name: str, parent_pid_file: str = "supervisord.pid") -> dict[str, str]:
    """Return what only the launcher needs to know: where output and starts go, and whose life this one shares."""
    return {
        "log": str(home.log(name)),
        "starts": str(home.starts / name),
        "parent_pid_file": str(home.run / parent_pid_file),
    }


def load_all(home: Home) -> list[Program]:
    """Return every stored program by name; none when nothing was started."""
    return [Program.model_validate_json(path.read_bytes()) for path in sorted(home.programs.glob("*.json"))]
