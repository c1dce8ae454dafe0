"""Checkout.com's response codes in our few: its page "API response codes", where 20xxx are ISO 8583's."""

from typing import Final

_CODES: Final = {
    "insufficient_funds": "20051",
    "card_expired": "20054 30033",
    "details_incorrect": "20014 20052 20053 20055 20056 20087 20088 20108 20109 20110 20111 20117 20130 20131 20132",
    "authentication_required": "20150 20151 20152 20154 20155",
    "limit_exceeded": "20061 20065 20075 20086 30038",
    "not_supported": "20057 20058 20093 20100 20107 20112 20116 20118 20123 30015 30016",
    # the way to the bank failed, and the bank did not answer
    "try_again": "20006 20009 20019 20022 20068 20090 20091 20092 20095 20096 20153",
    "contact_bank": "20001 20002 20005 20012 20062 20063 20078 20179 20182 20183 30017 30018 30019 30035 30037",
    "amount_not_accepted": "20013 20105 20106",
    # A merchant must not tell a thief that the card is known to be stolen.
    "declined": "20003 20059 20064 30004 30007 30020 30034 30036 30041 30043 30044 30045 30046",
}
NORMALISED: Final = {code: ours for ours, codes in _CODES.items() for code in codes.split()}


def normalise(code: str | None) -> str:
    """Return our code for a response code; risk rules (4xxxx) and whatever is new are a plain no."""
    return NORMALISED.get(str(code), "declined")
