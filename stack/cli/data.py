from pathlib import Path
from typing import Annotated

import typer

from stack import backup as backing
from stack import copying, records, stores
from stack import replay as replaying
from stack import swap as swapping
from stack.cli.times import moment
from stack.cli.watching import require_running
from stack.errors import StackError
from stack.home import Home, current_home
from stack.progress import Progress

Role = Annotated[str, typer.Option(help="The component whose documents move.")]
state = typer.Typer(help="Move a role's documents to another state store while they are written.", no_args_is_help=True)


def replay(
    since: Annotated[str, typer.Option(help="How long ago (30m, 24h) or when (2026-11-27T14:00Z).")] = "",
    service: Annotated[str | None, typer.Option(help="What this one published; all when left out.")] = None,
    topic: Annotated[str | None, typer.Option(help="This topic alone.")] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Facts a second at most; 300 when left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the replay that was stopped.")] = False,
) -> None:
    """Publish again what services published since a moment, under the same ids: who heard it before does nothing."""
    home = _running()
    if resume == bool(since):
        raise StackError("give either --since or --resume")
    plan = replaying.resume(home) if resume else replaying.begin(home, moment("--since", since), service, topic)
    plan = plan.model_copy(update={"rate": rate}) if rate else plan
    told = replaying.run(home, plan, Progress())
    for name, count in sorted(told.items()):
        print(f"{count:10,} {name}")
    print(f"{told.total():10,} in all")


def backup(file: Annotated[Path, typer.Argument(help="Where to write it: it holds secrets, so keep it safe.")]) -> None:
    """Copy the running system's data and secrets, as of one moment, into one file."""
    home = _running()
    about = backing.take(home, file.absolute(), Progress())
    print(f"{file}: {file.stat().st_size:,} bytes, as of {about.taken_at:%Y-%m-%dT%H:%M:%SZ}; the secrets are in it")


def restore(file: Annotated[Path, typer.Argument(help="What `sidecart backup` wrote.")]) -> None:
    """Lay a backup out in an empty SIDECART_HOME."""
    home = current_home()
    if records.running(home):
        raise StackError(f"a system runs in {home.root}: restore into an empty SIDECART_HOME")
    about = backing.restore(home, file.absolute(), Progress())
    print(
        f"{home.root} holds the system of {about.taken_at:%Y-%m-%dT%H:%M:%SZ}: `sidecart up`, then tell again what was"
    )
    print(f"on its way: `sidecart replay --since {backing.since(about)}`")


@state.command()
def copy(
    to: Annotated[Path | None, typer.Option(help="The component that is to take the role, in YAML.")] = None,
    role: Role = "order-details",
    rate: Annotated[int, typer.Option(min=1, help="Documents a second at most: live traffic goes on.")] = copying.RATE,
) -> None:
    """Copy what the other store lacks: before the swap to the next one, after it the rest from the previous one."""
    home = _running()
    if to is not None and stores.introduce(home, role, to):
        copying.forget(home)
    copying.run(home, role, Progress(), rate)


@state.command()
def swap(role: Role = "order-details") -> None:
    """Let the next store take the role; the one before stays readable."""
    home = _running()
    copying.swap(home, role)
    print(f"{role} is {stores.current(home, role)} now; `sidecart state copy` brings the rest from {role}-previous")


@state.command()
def finish(role: Role = "order-details") -> None:
    """Check that nothing is missing, and let go of the store before."""
    home, progress = _running(), Progress()
    copying.finish(home, role, progress)
    swapping.stop_unused(home, progress)


def _running() -> Home:
    home = current_home()
    require_running(home)
    return home
