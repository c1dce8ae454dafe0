"""The command line, `sidecart`."""

import os
import sys

import typer

from stack.cli import auditing, change, checking, data, doctor, guests, keys, swapping, token, tour, up, watching
from stack.errors import StackError

app = typer.Typer(
    help="Run the whole system on this machine: servers, sidecars, apps and stand-ins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(up.up)
app.command()(up.down)
app.command()(watching.status)
app.command()(watching.logs)
app.command()(change.restart)
app.command()(change.scale)
app.command()(change.update)
app.command()(checking.check)
app.command()(change.apply)
app.command()(guests.join)
app.command()(guests.leave)
app.command()(guests.env)
app.command()(data.replay)
app.command()(data.backup)
app.command()(data.restore)
app.command()(auditing.audit)
app.add_typer(data.state, name="state")
app.add_typer(keys.keys, name="keys")
app.command()(swapping.swap)
app.command()(swapping.profiles)
app.command()(doctor.doctor)
app.command()(token.token)
app.command()(tour.demo)


def main() -> None:
    """Run one command; what goes wrong is told in one line, with exit code 1."""
    try:
        app()
    except StackError as error:
        sys.exit(f"sidecart: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get("SIDECART_DEBUG"):
            raise
        sys.exit(f"sidecart: unexpected {type(error).__name__}: {error} (SIDECART_DEBUG=1 shows where)")
