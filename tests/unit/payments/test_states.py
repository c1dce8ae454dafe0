from itertools import product

import pytest

from apps.payments.domain import TRANSITIONS, IllegalTransitionError, State, Trigger, advance

S, T = State, Trigger
# written a second time, by hand: a slip in the one literal has to be made twice
EXPECTED = {
    S.PROCESSING: {
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.ANSWER_LOST: S.UNKNOWN,
        T.NOT_CHARGED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
        T.VOIDED: S.CANCELED,
    },
    S.UNKNOWN: {
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.ANSWER_LOST: S.UNKNOWN,
        T.NOT_CHARGED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
        T.VOIDED: S.CANCELED,
    },
    S.REQUIRES_PAYMENT_METHOD: {T.PAY_AGAIN: S.PROCESSING, T.MISMATCHED: S.CONFLICTED, T.VOIDED: S.CANCELED},
    S.SUCCEEDED: {T.MISMATCHED: S.CONFLICTED},
    S.CANCELED: {T.CAPTURED: S.SUCCEEDED, T.MISMATCHED: S.CONFLICTED},
    S.CONFLICTED: {},
}


@pytest.mark.parametrize(("state", "trigger"), list(product(State, Trigger)))
def test_only_listed_transitions_are_possible(state: State, trigger: Trigger) -> None:
    if (target := EXPECTED[state].get(trigger)) is not None:
        assert advance(state, trigger) is target
    else:
        with pytest.raises(IllegalTransitionError):
            advance(state, trigger)


def test_no_state_is_left_out_and_each_can_be_reached() -> None:
    assert set(EXPECTED) == set(State)
    assert {State.PROCESSING, *TRANSITIONS.values()} == set(State)
