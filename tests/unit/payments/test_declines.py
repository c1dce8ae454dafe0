import pytest

from apps.payments.declines import ADVICE, NORMALISED, normalise


@pytest.mark.parametrize("code", sorted(NORMALISED))
def test_every_code_of_the_processor_has_an_advice(code: str) -> None:
    assert ADVICE[normalise(code, None)].endswith(".")


def test_the_issuers_word_counts_for_more_than_the_processors() -> None:
    assert normalise("insufficient_funds", "card_declined") == "insufficient_funds"
    assert normalise(None, "expired_card") == "card_expired"
    assert normalise("unheard_of", "processing_error") == "try_again"


def test_what_nobody_has_heard_of_is_a_plain_decline() -> None:
    assert normalise("unheard_of", None) == normalise(None, None) == "declined"


def test_a_thief_is_not_told_that_the_card_is_known_as_stolen() -> None:
    assert {normalise(code, "card_declined") for code in ("stolen_card", "lost_card", "fraudulent")} == {"declined"}


def test_no_code_of_ours_is_without_a_source() -> None:
    assert set(NORMALISED.values()) == set(ADVICE)
