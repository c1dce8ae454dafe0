import shutil
import sys
from collections.abc import Callable, Iterator

import psutil
from rich.text import Text

from stack import plan, ports, postgres, records, runtime, secrets_file, topology, valkey
from stack.cache import cache_root
from stack.cli import tables
from stack.errors import StackError
from stack.home import Home, current_home, existing

NEEDED_GIB = 2
# Modules, what was compiled, Go itself, and the programs.
TO_BUILD_GIB = 7
GIB = 1024**3
Finding = tuple[str, bool, str]


def doctor() -> None:
    """Say what is here, what is missing, and what to do about it; exit 1 when something has to be done."""
    home = current_home()
    table = tables.table("", "what", "found")
    findings = list(_findings(home))
    for what, fine, said in findings:
        table.add_row(Text("ok", style="green") if fine else Text("!!", style="red"), what, Text(said))
    tables.show(table)
    if not all(fine for _, fine, _ in findings):
        raise StackError("something is missing: see the lines marked !!")


def _findings(home: Home) -> Iterator[Finding]:
    yield "Python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} at {sys.executable}"
    yield _asked("PostgreSQL", lambda: str(postgres.binary("postgres")))
    yield _asked("Valkey", lambda: str(valkey.binary()))
    yield _asked("Dapr runtime", runtime.told)
    yield _asked("topology", _app_ids)
    yield _asked("secrets", lambda: _secrets(home))
    yield "home", home.usable, f"{home.root}, port offset {home.offset}"
    needed = NEEDED_GIB if runtime.is_here() else TO_BUILD_GIB
    free = min(shutil.disk_usage(existing(folder)).free for folder in (home.root, cache_root()))
    yield "disk", free > needed * GIB, f"{free / GIB:.1f} GiB free, {needed} needed"
    memory = psutil.virtual_memory().available
    yield "memory", memory > NEEDED_GIB * GIB, f"{memory / GIB:.1f} GiB available, {NEEDED_GIB} needed"
    yield _asked("ports", lambda: _ports(home))


def _asked(what: str, question: Callable[[], str]) -> Finding:
    try:
        return what, True, question()
    except StackError as error:
        return what, False, " ".join(str(error).split())


def _app_ids() -> str:
    plan = topology.load()
    return f"{plan.file}: {', '.join(app.app_id for app in plan.apps)}"


def _secrets(home: Home) -> str:
    if not home.secrets.exists():
        return "none yet: made at the first `sidecart up`"
    secrets_file.check(home, secrets_file.load(home))
    return str(home.secrets)


def _ports(home: Home) -> str:
    record = records.running(home)
    if record:
        return f"in use by this system (pid {record.pid})"
    ports.refuse_taken(plan.ports(home, topology.load()))
    return f"all free, with offset {home.offset}"
