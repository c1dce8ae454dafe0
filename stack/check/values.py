"""Values that a sidecar reads out of texts: whether they can be read at all."""

import ast
import re
from typing import Final

DURATION: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
COUNTS: Final = ("requests", "totalSuccesses", "totalFailures", "consecutiveSuccesses", "consecutiveFailures")
# Everything else, "ture" and "enabled" included, quietly means false.
TRUTH: Final = {"y", "yes", "true", "t", "on", "1", "n", "no", "false", "f", "off", "0", ""}
HTTP_CODES, GRPC_CODES = range(100, 600), range(1, 17)
_SIZE = re.compile(r"[-+]?\d+(\.\d+)?([EPTGMk]|[EPTGMK]i|m)?")


def is_duration(text: str) -> bool:
    """Tell whether Go reads it as a duration; Dapr takes a whole number as well."""
    return bool(re.fullmatch(rf"({DURATION.pattern})+|[-+]?\d+", text))


def fits(text: str, kind: str) -> str | None:
    """Return what a component's field of type *kind* must be when *text* is not."""
    if kind == "duration" and not is_duration(text):
        return "write a duration such as 500ms, 10s or 2h (there are no days)"
    if kind == "bool" and text.strip().casefold() not in TRUTH:
        return "write true or false: a sidecar takes anything else for false"
    if kind == "number" and not re.fullmatch(r"[-+]?\d+(\.\d+)?", text.strip()):
        return "write a number"
    if kind == "bytesize" and not _SIZE.fullmatch(text.strip()):
        return "write a size such as 64Ki or 4Mi"
    return None


def wrong_codes(text: str, valid: range) -> list[str]:
    """Return the parts of a list such as `429,500-599` that are no codes."""
    return [part for part in text.split(",") if not _are_codes(part, valid)]


def _are_codes(part: str, valid: range) -> bool:
    if not (found := re.fullmatch(r"(\d+)(?:-(\d+))?", part)):
        return False
    first, last = int(found[1]), int(found[2] or found[1])
    return first in valid and last in valid and first <= last


def unknown_counts(trip: str) -> list[str] | None:
    """Return the names in a breaker's condition that are no counts; None when it is no condition at all."""
    try:
        # What may stand here in CEL reads the same in Python but for three signs.
        told = trip.replace("&&", " and ").replace("||", " or ").replace("!=", "<>").replace("!", " not ")
        tree = ast.parse(told.replace("<>", "!=").strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    negated = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not negated:
        return None
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in COUNTS]
