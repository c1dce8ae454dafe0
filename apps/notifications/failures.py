"""Tells from what a component reports whose trouble it is; each type of component words it in its own way."""

import re
from enum import StrEnum
from typing import Final


class Failure(StrEnum):
    """Whose trouble it is."""

    TECHNICAL = "technical"
    """Ours or the provider's: every message would fail now."""
    TEMPORARY = "temporary"
    """This recipient's, for now."""
    PERMANENT = "permanent"
    """This recipient's or this message's, for good."""
    BOUNCED = "bounced"
    """The recipient's for good: there is nobody at that address."""
    UNKNOWN = "unknown"
    """Nobody's, perhaps: the provider may have taken the message, but its answer was lost."""


# Nothing left the machine: whatever else the report says, the provider has not seen the message.
_NOT_SENT: Final = re.compile(
    r"circuit breaker is open|too many requests$|couldn't find output binding|could not be reached"
    r"|dial tcp|proxyconnect|no such host|x509|certificate|not supplied in configuration"
)
_LOST: Final = re.compile(
    r"context deadline exceeded|Client\.Timeout|timeout|\bEOF\b|connection reset|broken pipe|gave no answer"
    r"|unexpected end of JSON|invalid character"
)
# 421: the server is closing; 432, 454, 53x: it does not like our login. Neither is about this recipient.
_NOT_THE_RECIPIENT: Final = frozenset({"421", "432", "454", "530", "534", "535", "538"})
_NOBODY_THERE: Final = re.compile(r"\b5\.1\.[0-36]\b")
_SMTP: Final = re.compile(r"(?:could not send email \d+|from smtp binding\b.*?): (?P<code>[45]\d\d)\b(?P<text>.*)")
_MISADDRESSED: Final = "gomail: invalid address"
_STATUS: Final = (
    re.compile(r"error from SendGrid: sending email failed: (?P<status>\d{3})\b"),
    re.compile(r"error from Twilio \((?P<status>\d{3})\)"),
    re.compile(r"received status code '?(?P<status>\d{3})"),
)
_AWS: Final = re.compile(r"operation error (?:SES|SNS): .*StatusCode: (?P<status>\d{3})")
_AWS_FINAL: Final = re.compile(r"MessageRejected|InvalidParameter|ValidationError|OptedOut")
_POSTMARK: Final = "error from Postmark"
_POSTMARK_BOUNCED: Final = re.compile(r"inactive|hard bounce", re.IGNORECASE)
_POSTMARK_FINAL: Final = re.compile(r"^.*(Invalid '|Error parsing 'To'|invalid email|is too large)", re.IGNORECASE)
_APNS_BOUNCED: Final = re.compile(r"\b(BadDeviceToken|Unregistered|DeviceTokenNotForTopic)\b")
_APNS_FINAL: Final = re.compile(r"\b(PayloadTooLarge|PayloadEmpty|BadCollapseId|BadMessageId)\b")
# 404 and 410: that device or number is gone. 401 and 403 are about our account, 429 and 5xx about the provider.
_FINAL_STATUS: Final = {"400": Failure.PERMANENT, "413": Failure.PERMANENT, "422": Failure.PERMANENT}
_GONE_STATUS: Final = {"404": Failure.PERMANENT, "410": Failure.BOUNCED}


def failure_of(report: str) -> Failure:
    """Tell from what a component reports whose trouble it is; what is not understood is technical."""
    if _MISADDRESSED in report:
        return Failure.PERMANENT
    for told in (_by_smtp, _by_status, _by_aws, _by_postmark, _by_apns):
        if found := told(report):
            return found
    if _NOT_SENT.search(report):
        return Failure.TECHNICAL
    return Failure.UNKNOWN if _LOST.search(report) else Failure.TECHNICAL


def _by_smtp(report: str) -> Failure | None:
    refused = _SMTP.search(report)
    if not refused:
        return None
    if refused["code"] in _NOT_THE_RECIPIENT:
        return Failure.TECHNICAL
    if refused["code"].startswith("4"):
        return Failure.TEMPORARY
    return Failure.BOUNCED if _NOBODY_THERE.search(refused["text"]) else Failure.PERMANENT


def _by_status(report: str) -> Failure | None:
    for pattern in _STATUS:
        if found := pattern.search(report):
            ours = "SendGrid" in report or "Twilio" in report
            known = _FINAL_STATUS if ours else _FINAL_STATUS | _GONE_STATUS
            return known.get(found["status"], Failure.TECHNICAL)
    return None


def _by_aws(report: str) -> Failure | None:
    found = _AWS.search(report)
    if not found:
        return None
    return Failure.PERMANENT if found["status"] == "400" and _AWS_FINAL.search(report) else Failure.TECHNICAL


def _by_postmark(report: str) -> Failure | None:
    if _POSTMARK not in report:
        return None
    if _POSTMARK_BOUNCED.search(report):
        return Failure.BOUNCED
    return Failure.PERMANENT if _POSTMARK_FINAL.search(report) else None


def _by_apns(report: str) -> Failure | None:
    if _APNS_BOUNCED.search(report):
        return Failure.BOUNCED
    return Failure.PERMANENT if _APNS_FINAL.search(report) else None
