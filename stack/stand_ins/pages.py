from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.4rem;text-align:left;"
    "vertical-align:top}pre{white-space:pre-wrap;word-break:break-word;margin:0}"
)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table of *rows*, every cell escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td><pre>{escape(str(cell))}</pre></td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def faults_note(fields: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Return a paragraph that says which faults are in force."""
    several = fields if isinstance(fields, list) else [fields]
    told = "; or ".join(", ".join(f"{name} = {value}" for name, value in each.items()) for each in several)
    return f"<p>Faults in force: {escape(told) or 'none'}.</p>"


def page(title: str, *parts: str, status: int = 200) -> HTMLResponse:
    """Return a page; *parts* are HTML and must be escaped already. Nothing in it may load or run."""
    name = escape(title)
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1>{''.join(parts)}</body></html>"
    )
    # no form-action here: the browser would hold it against the redirect back to a shop, too
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(html, status, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
