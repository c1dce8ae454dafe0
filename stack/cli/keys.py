from typing import Annotated

import typer

from stack import keys as rotation
from stack import operating
from stack.cli.watching import require_running
from stack.home import current_home
from stack.progress import Progress

keys = typer.Typer(
    help="The keys under what payments has sealed, and those that sign access tokens.", no_args_is_help=True
)


@keys.callback()
def _group() -> None:
    """Keep `rotate` a command of its own: typer would fold a group of one."""


@keys.command()
def rotate() -> None:
    """Make a new key current and rewrap everything under it, while payments works; again, it goes on where it was."""
    home = current_home()
    require_running(home)
    for table, count in rotation.rotate(home, Progress()).items():
        print(f"{count:10,} {table}")
    print("done; older keys stay in the secrets file for backups that need them")


@keys.command()
def rotate_signing(
    compromised: Annotated[bool, typer.Option(help="Drop every earlier key at once, and all access tokens.")] = False,
) -> None:
    """Make a new key that signs access tokens; it is announced ten minutes before it signs."""
    home = current_home()
    require_running(home)
    answer = operating.ask_any(home, "users", "/internal/operator/signing-keys", {"compromised": compromised})
    print(f"made {answer['kid']}; published: {', '.join(answer['published'])}")
