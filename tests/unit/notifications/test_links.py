from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from apps.notifications.links import BadLinkError, Links, Reader

LINKS = Links("the service's secret", "https://shop.example")
USER = Reader(user_id=UUID("01a2036f-27f2-7767-bdbf-419a840c9fb7"))
ADDRESS = Reader(address="ann+news@example.org")


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


@pytest.mark.parametrize("reader", [USER, ADDRESS])
def test_a_link_names_its_reader_to_us_alone(reader: Reader) -> None:
    link = LINKS.unsubscribe(reader)
    assert link.startswith("https://shop.example/unsubscribe?token=")
    assert "ann" not in link
    assert LINKS.read(token_of(link)) == reader


def test_a_link_that_was_altered_cut_off_or_made_elsewhere_is_none() -> None:
    token = token_of(LINKS.unsubscribe(USER))
    forged = token_of(Links("another secret", "https://shop.example").unsubscribe(USER))
    swapped = ("A" if token[5] != "A" else "B").join([token[:5], token[6:]])
    for bad in (forged, swapped, token[:-3], token + "AAAA", "", "!", "é", "A" * 22):
        with pytest.raises(BadLinkError):
            LINKS.read(bad)
