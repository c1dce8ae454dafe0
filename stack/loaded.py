"""What each sidecar made of its resources: one it cannot read it leaves out, says so in its log, and goes on."""

import http.client
import json
from pathlib import Path
from typing import Any

import yaml

from stack.errors import StackError
from stack.home import Home
from stack.logs import reason
from stack.program import Program

ANSWER_S = 5.0


def refuse_left_out(home: Home, programs: list[Program]) -> None:
    """Raise `StackError` naming the first component that a sidecar should have and did not load."""
    for sidecar in that_tell(programs):
        meant = _meant_for(sidecar)
        loaded = {component["name"] for component in _metadata(sidecar).get("components", [])} if meant else set()
        for path, name in meant:
            if name not in loaded:
                said = reason(home, sidecar.name)
                raise StackError(f"{path}: {sidecar.name} did not load component {name}: {said}")


def that_tell(programs: list[Program]) -> list[Program]:
    """Return the sidecars that say what they have loaded: the public door tells nobody."""
    return [program for program in programs if program.kind == "sidecar" and "DAPR_API_TOKEN" in program.env]


def types(sidecar: Program) -> dict[str, str]:
    """Return the type of each component that *sidecar* uses now; none while it does not answer."""
    try:
        return {component["name"]: component["type"] for component in _metadata(sidecar).get("components", [])}
    except StackError:
        return {}


def _metadata(sidecar: Program) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", sidecar.ports["http"], timeout=ANSWER_S)
    try:
        connection.request("GET", "/v1.0/metadata", headers={"dapr-api-token": sidecar.env["DAPR_API_TOKEN"]})
        found: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StackError(f"{sidecar.name} does not say what it loaded ({error}): see its log") from error
    else:
        return found
    finally:
        connection.close()


def _meant_for(sidecar: Program) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for path in watched_files(sidecar):
        document: dict[str, Any] = yaml.safe_load(path.read_text())
        app_id = sidecar.env["APP_ID"]
        if document["kind"] == "Component" and app_id in (document.get("scopes") or [app_id]):
            found.append((path, str(document["metadata"]["name"])))
    return found


def watched_files(sidecar: Program) -> list[Path]:
    """Return the files of the folders that a sidecar was started with."""
    flag = "--resources-path="
    folders = [Path(argument.removeprefix(flag)) for argument in sidecar.argv if argument.startswith(flag)]
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
