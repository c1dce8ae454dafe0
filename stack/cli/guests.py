from pathlib import Path
from typing import Annotated

import typer

from stack import guests
from stack.cli.watching import require_running
from stack.home import current_home
from stack.progress import Progress


def join(file: Annotated[Path, typer.Argument(help="A run file like dapr/dapr.yaml, or the folder of one.")]) -> None:
    """Start further app-ids beside the running system; `down` stops them with it."""
    home = current_home()
    require_running(home)
    guests.join(home, file.absolute(), Progress())


def leave(app_id: Annotated[str, typer.Argument(help="What joined.")]) -> None:
    """Stop what joined; what it stored stays."""
    home = current_home()
    guests.leave(home, require_running(home), app_id, Progress())


def env(app_id: Annotated[str, typer.Argument(help="For example partner.")]) -> None:
    """Print how to reach an app-id's sidecar, as Dapr's SDKs read it: `env $(sidecart env partner) node client.mjs`."""
    home = current_home()
    require_running(home)
    for name, value in guests.addresses(home, app_id).items():
        print(f"{name}={value}")
