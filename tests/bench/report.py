"""The figures as tables for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import goals
from tests.bench.figures import Json
from tests.bench.flow import GENERATOR

SPREAD = ("p50_ms", "p95_ms", "p99_ms", "max_ms")


def show(results: Json, console: Console) -> None:
    """Print everything that a person wants to compare; the rest is in the file."""
    machine = results["machine"]
    console.print(
        f"\n{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, Dapr {machine['dapr']}, "
        f"PostgreSQL {machine['postgres']}, Valkey {machine['valkey']}, commit {machine['commit']}"
        f"{' and edits' if machine['edited'] else ''}"
    )
    console.print(_raw(results))
    _flow(console, "Idle: single orders", results["idle"])
    _flow(console, "Sustained", results["sustained"])
    console.print(_most(results["most"]))
    console.print(_costs(results))
    console.print(_ratios(results["ratios"]))
    console.print(_goals(results))
    console.print(f"Without any load the system uses {results['cores_idle']} cores.")
    console.print(f"dead letters: {results['dead_letters']}; load average at the end: {results['load_average']}")


def _table(title: str | None, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _raw(results: Json) -> Table:
    table = _table("Raw limits of this machine", "what", "per second", "p50 ms", "p99 ms")
    for name, one in results["raw"].items():
        table.add_row(name.replace("_", " "), *_texts(one["per_second"], one.get("p50_ms"), one.get("p99_ms")))
    return table


def _flow(console: Console, title: str, one: Json) -> None:
    queue, charges = one["backlog"], one["charges"]
    console.print(
        f"[bold]{title}[/]: {one['sent']} sent in {one['seconds']} s, {one['accepted']} accepted, {one['paid']} paid, "
        f"{one['charged_once']} charged once, {one['mailed']} mailed ({one['mailed_twice']} twice); "
        f"failures: {one['failures'] or 'none'}.\n"
        f"{one['placed_paid_mailed_per_second']}/s placed, paid and mailed. Backlog: {queue['at_the_end_of_load']} "
        f"when the load ended, at most {queue['most']}, growing by {queue['growth_per_second']}/s, "
        f"gone after {queue['gone_after_s']} s.\n"
        f"{charges['per_second']} charges/s; orders not yet charged: at most {charges['backlog']['most']}, growing by "
        f"{charges['backlog']['growth_per_second']}/s, gone after {charges['backlog']['gone_after_s']} s.\n"
        f"Cores used: {one['cores_used']} by the system, {one['cores_used_by_others']} by others; "
        f"load average before: {one['load_average_before']}."
    )
    table = _table(None, "from sending to", *(name.replace("_", " ") for name in SPREAD))
    for name, stage in one["stages"].items():
        table.add_row(name, *_texts(*(stage[key] for key in SPREAD)))
    console.print(table)


def _most(most: Json) -> Table:
    who = f"with {most['clients']} clients" if most["clients"] else "at the sustained part's rate"
    title = f"At most: {most['placed_per_second']} placed/s {who}"
    table = _table(
        title, "clients", "placed/s", "p50 ms", "p99 ms", "mailed/s", "CPU ms/order", "others' cores", "failures"
    )
    for step in most["steps"]:
        answered = step["stages"]["answered"]
        values = _texts(
            step["accepted_per_second"],
            answered["p50_ms"],
            answered["p99_ms"],
            step["placed_paid_mailed_per_second"],
            step["cpu_ms_per_order_in_all"],
            step["cores_used_by_others"],
            sum(step["failures"].values()),
        )
        table.add_row(str(step["clients"]), *values)
    return table


def _costs(results: Json) -> Table:
    """Show where an order's CPU goes: the profile that says what bounds the system."""
    sustained, memory, idle = results["sustained"], results["memory_mib"], results["memory_idle_mib"]
    table = _table("Costs, sustained", "process", "CPU ms/order", "CPU s", "PSS MiB after", "PSS MiB idle")
    each, used = sustained["cpu_ms_per_order"], sustained["cpu_s"]
    for name in sorted(used, key=lambda name: -float(used[name])):
        table.add_row(name, *_texts(each.get(name), used[name], memory.get(name), idle.get(name)))
    in_all = sum(cpu for name, cpu in used.items() if name != GENERATOR)
    table.add_section()
    values = _texts(sustained["cpu_ms_per_order_in_all"], round(in_all, 1), memory["in all"], idle["in all"])
    table.add_row("the system in all", *values)
    return table


def _ratios(ratios: Json) -> Table:
    table = _table("Ratios", "what", "ratio")
    for name, value in ratios.items():
        table.add_row(name, *_texts(value))
    return table


def _goals(results: Json) -> Table:
    table = _table("Numbers to meet", "what", "wanted", "measured", "")
    for what, wanted, measured, met in goals.judge(results):
        table.add_row(what, wanted, measured, "met" if met else "[bold]missed[/]")
    return table


def _texts(*values: Any) -> list[str]:
    return ["" if value is None else f"{value:,}" for value in values]
