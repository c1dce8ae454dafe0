import pytest

from apps.users.origin import UNKNOWN, address_of


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.7, 10.0.0.1"], "203.0.113.7"),
        (["203.0.113.7", "10.0.0.1"], "203.0.113.7"),
        (["2001:db8::", "10.0.0.1"], "2001:db8::"),
        (["10.0.0.1"], "10.0.0.1"),
        ([], UNKNOWN),
        (["", "10.0.0.1"], UNKNOWN),
        (["'; DROP TABLE users", "10.0.0.1"], UNKNOWN),
    ],
)
def test_the_address_is_what_stands_before_the_edges_own(lines: list[str], address: str) -> None:
    assert address_of(lines) == address


def test_what_a_client_says_of_itself_does_not_count_once_the_edge_has_spoken() -> None:
    assert address_of(["1.1.1.1, 2.2.2.2, 203.0.113.7", "10.0.0.1"]) == "203.0.113.7"
