from uuid import UUID

import pytest

from apps.users.domain import RefreshRefusedError, scope_of
from apps.users.refresh_tokens import RefreshToken

SESSION = UUID(int=5)
KEY = bytes(32)


def test_a_token_reads_back_as_it_was_made() -> None:
    token = RefreshToken.first(SESSION)
    assert RefreshToken.load(token.dump()) == token


def test_the_next_token_is_of_the_same_family_with_another_secret() -> None:
    token = RefreshToken.first(SESSION)
    following = token.next(KEY)
    assert (following.session_id, following.family, following.generation) == (SESSION, token.family, 2)
    assert following.secret != token.secret


def test_no_two_families_are_alike() -> None:
    first, second = RefreshToken.first(SESSION), RefreshToken.first(SESSION)
    assert first.family != second.family
    assert first.secret != second.secret


WHOLE = RefreshToken.first(SESSION).dump()


@pytest.mark.parametrize(
    "token",
    ["", "x", WHOLE[:-4], WHOLE + "AAAA", "é" * 91, WHOLE[:-1] + "!", " " + WHOLE, "=" * 92],
    ids=["empty", "short", "cut", "longer", "no-ascii", "no-base64", "space", "padding"],
)
def test_what_was_never_a_token_is_refused(token: str) -> None:
    with pytest.raises(RefreshRefusedError):
        RefreshToken.load(token)


def test_scopes_follow_from_roles() -> None:
    assert scope_of(["customer"]) == "profile orders payments notifications"
    assert scope_of(["staff", "customer"]) == "profile orders payments notifications catalogue"
    assert scope_of(["nothing known"]) == ""
