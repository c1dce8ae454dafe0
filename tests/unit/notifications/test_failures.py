import pytest

from apps.notifications.failures import Failure, failure_of

SMTP = "binding email: error invoking output binding email: error from smtp binding, sending email failed: {}"
GOMAIL = SMTP.format("gomail: could not send email 1: {}")
SENDGRID = "binding email: error from SendGrid: sending email failed: {}"
POSTMARK = "binding email: error from Postmark, sending email failed: {}"
SES = "binding email: SES binding error. Sending email failed: operation error SES: SendEmail, {}"
TWILIO = "binding sms: error invoking output binding sms: error from Twilio ({0}): {0} whatever"
HTTP = "binding push: error invoking output binding push: received status code {}"
APNS = "binding push: error invoking output binding push: {}"
SNS = "binding sms: operation error SNS: Publish, https response error StatusCode: {}"


@pytest.mark.parametrize(
    ("report", "failure"),
    [
        (GOMAIL.format("550 5.1.1 no such user"), Failure.BOUNCED),
        (GOMAIL.format("550 5.7.1 we do not like you"), Failure.PERMANENT),
        (GOMAIL.format("554 5.3.0 rejected as spam"), Failure.PERMANENT),
        (GOMAIL.format('gomail: invalid address "x": mail: missing @'), Failure.PERMANENT),
        (GOMAIL.format("450 4.2.1 mailbox busy"), Failure.TEMPORARY),
        (GOMAIL.format("452 4.2.2 mailbox full"), Failure.TEMPORARY),
        (GOMAIL.format("421 4.3.0 closing"), Failure.TECHNICAL),
        (GOMAIL.format("530 5.7.0 authentication required"), Failure.TECHNICAL),
        (GOMAIL.format("EOF"), Failure.UNKNOWN),
        (SMTP.format("535 5.7.8 authentication credentials invalid"), Failure.TECHNICAL),
        (SMTP.format("550 5.1.1 no such user"), Failure.BOUNCED),
        (SMTP.format("dial tcp 127.0.0.1:1025: connect: connection refused"), Failure.TECHNICAL),
        (SMTP.format("dial tcp 127.0.0.1:1025: i/o timeout"), Failure.TECHNICAL),
        (SMTP.format("read tcp 127.0.0.1:4->127.0.0.1:1025: read: connection reset by peer"), Failure.UNKNOWN),
        (SENDGRID.format("400 {Errors:[{Field:<nil>}]}"), Failure.PERMANENT),
        (SENDGRID.format("401 {Errors:[]}"), Failure.TECHNICAL),
        (SENDGRID.format("413 {Errors:[]}"), Failure.PERMANENT),
        (SENDGRID.format("429 {Errors:[]}"), Failure.TECHNICAL),
        (SENDGRID.format("503 {Errors:[]}"), Failure.TECHNICAL),
        (SENDGRID.format('Post "https://api.sendgrid.com/v3/mail/send": context deadline exceeded'), Failure.UNKNOWN),
        (SENDGRID.format('Post "https://api.sendgrid.com": dial tcp: no such host'), Failure.TECHNICAL),
        (POSTMARK.format("You tried to send to recipient(s) that have been marked as inactive."), Failure.BOUNCED),
        (POSTMARK.format("Invalid 'To' address: 'x'."), Failure.PERMANENT),
        (POSTMARK.format("Request does not contain a valid Server token."), Failure.TECHNICAL),
        (POSTMARK.format("unexpected end of JSON input"), Failure.UNKNOWN),
        (SES.format("https response error StatusCode: 400, MessageRejected: not verified"), Failure.PERMANENT),
        (SES.format("https response error StatusCode: 400, Throttling: rate exceeded"), Failure.TECHNICAL),
        (SES.format("https response error StatusCode: 403, InvalidClientTokenId"), Failure.TECHNICAL),
        (SNS.format("400, InvalidParameter: number"), Failure.PERMANENT),
        (SNS.format("500, InternalFailure"), Failure.TECHNICAL),
        (TWILIO.format(400), Failure.PERMANENT),
        (TWILIO.format(401), Failure.TECHNICAL),
        (TWILIO.format(404), Failure.TECHNICAL),
        (TWILIO.format(429), Failure.TECHNICAL),
        (TWILIO.format(500), Failure.TECHNICAL),
        (HTTP.format(400), Failure.PERMANENT),
        (HTTP.format(404), Failure.PERMANENT),
        (HTTP.format(410), Failure.BOUNCED),
        (HTTP.format(401), Failure.TECHNICAL),
        (HTTP.format(503), Failure.TECHNICAL),
        (APNS.format("BadDeviceToken"), Failure.BOUNCED),
        (APNS.format("Unregistered"), Failure.BOUNCED),
        (APNS.format("PayloadTooLarge"), Failure.PERMANENT),
        (APNS.format("ExpiredProviderToken"), Failure.TECHNICAL),
        ("binding email: circuit breaker is open", Failure.TECHNICAL),
        ("binding email-fallback: couldn't find output binding email-fallback", Failure.TECHNICAL),
        ("binding email: context deadline exceeded", Failure.UNKNOWN),
        ("binding email: the sidecar could not be reached", Failure.TECHNICAL),
        ("binding email: the sidecar gave no answer", Failure.UNKNOWN),
        ("binding email: something nobody has seen before", Failure.TECHNICAL),
    ],
)
def test_what_each_type_of_component_reports_is_told_apart(report: str, failure: Failure) -> None:
    assert failure_of(report) is failure
