"""The pages that people see: a link from a mail opens one, and nothing happens before its button is pressed."""

from html import escape
from typing import Final

from starlette.responses import HTMLResponse

_STYLE: Final = """
body{margin:0;padding:16px;background:#f3f4f6;color:#1f2937;font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}
main{max-width:480px;margin:32px auto;padding:24px;background:#fff;border-radius:8px}
h1{margin:0 0 16px;font-size:22px;line-height:1.3}
button{font:inherit;padding:12px 20px;border:0;border-radius:6px;background:#0f766e;color:#fff;cursor:pointer}
button:focus-visible{outline:3px solid #5eead4;outline-offset:2px}
@media (prefers-color-scheme:dark){body{background:#111827;color:#e5e7eb}main{background:#1f2937}}
"""
_WORDS: Final = {
    "en": {
        "ask": ("Unsubscribe?", "You will get no more news from us by mail. Mail about your orders still comes."),
        "done": ("You are unsubscribed", "We will send you no more news by mail."),
        "bad": ("This link does not work", "Please open it from the mail once more, whole."),
    },
    "de": {
        "ask": (
            "Abmelden?",
            "Sie erhalten keine Neuigkeiten mehr per Mail. Was Ihre Bestellungen betrifft, kommt weiter.",
        ),
        "done": ("Sie sind abgemeldet", "Wir schicken Ihnen keine Neuigkeiten mehr per Mail."),
        "bad": ("Dieser Link funktioniert nicht", "Bitte öffnen Sie ihn noch einmal vollständig aus der Mail."),
    },
    "fr": {
        "ask": (
            "Se désabonner ?",
            "Vous ne recevrez plus nos nouvelles par e-mail. Les messages sur vos commandes arrivent toujours.",
        ),
        "done": ("Vous êtes désabonné", "Nous ne vous enverrons plus de nouvelles par e-mail."),
        "bad": ("Ce lien ne fonctionne pas", "Veuillez l'ouvrir encore une fois en entier depuis le message."),
    },
}
_BUTTONS: Final = {"en": "Unsubscribe", "de": "Abmelden", "fr": "Se désabonner"}
# The form posts back to where it came from, whatever path the edge has it under; nothing else may load or run.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def ask(language: str) -> HTMLResponse:
    """Return the page with the button."""
    return _page(language, "ask", f'<form method="post"><button>{_BUTTONS[language]}</button></form>')


def done(language: str) -> HTMLResponse:
    """Return the page that says that it is done."""
    return _page(language, "done")


def bad(language: str) -> HTMLResponse:
    """Return the page for a link that was cut off."""
    return _page(language, "bad", status=400)


def language_of(accepted: str | None) -> str:
    """Return the first language a browser names that the pages are written in."""
    for part in (accepted or "").split(","):
        language = part.split(";")[0].strip().split("-")[0].lower()
        if language in _WORDS:
            return language
    return "en"


def _page(language: str, name: str, more: str = "", status: int = 200) -> HTMLResponse:
    title, text = _WORDS[language][name]
    html = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{more}</main></body>"
        "</html>"
    )
    return HTMLResponse(html, status, _HEADERS)
