import pytest

from apps.chassis.anonymous import unnamed

REPORTS = {
    "550 5.1.1 <ada.l+shop@mail.example.org>: Recipient address rejected": (
        "550 5.1.1 <(address)>: Recipient address rejected"
    ),
    'no mail to "ada@example.org", asked mx1.example.net': 'no mail to "(address)", asked mx1.example.net',
    "error from Twilio (400): The 'To' number +44 7700 900461 is not valid": (
        "error from Twilio (400): The 'To' number (number) is not valid"
    ),
    'duplicate key value violates "users_email_key"\nDETAIL:  Key (email)=(ada@x.org) already exists.\nCONTEXT: x': (
        'duplicate key value violates "users_email_key"\nCONTEXT: x'
    ),
    "null value in column\nDETAIL:  Failing row contains (Ada Lovelace, 12 Square).": "null value in column\n",
}


@pytest.mark.parametrize("report", REPORTS)
def test_what_others_report_loses_whom_it_names(report: str) -> None:
    assert unnamed(report) == REPORTS[report]


@pytest.mark.parametrize(
    "text", ["2026-11-27T10:00:00+00:00", "1+1=2", "order-details-policies.yaml", "a@", "took +12 ms", "500-+-3"]
)
def test_what_names_nobody_stays(text: str) -> None:
    assert unnamed(text) == text
