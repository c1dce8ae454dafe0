from itertools import product

import pytest

from apps.payments.domain import TRANSITIONS, IllegalTransitionError, State, Trigger, advance

S, T = State, Trigger
# written a second time, by hand: a slip in the one literal has to be made twice
EXPECTED: dict[State, dict[Trigger, State]] = {
    S.PROCESSING: {
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.CUSTOMER_ASKED: S.REQUIRES_ACTION,
        T.ANSWER_LOST: S.UNKNOWN,
        T.NOT_CHARGED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
        T.SETTLED: S.SUCCEEDED,
        T.VOIDED: S.CANCELED,
    },
    S.UNKNOWN: {
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.CUSTOMER_ASKED: S.REQUIRES_ACTION,
        T.ANSWER_LOST: S.UNKNOWN,
        T.NOT_CHARGED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
        T.SETTLED: S.SUCCEEDED,
        T.VOIDED: S.CANCELED,
    },
    S.REQUIRES_PAYMENT_METHOD: {
        T.PAY_AGAIN: S.PROCESSING,
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.CAPTURED: S.SUCCEEDED,
        T.MISMATCHED: S.CONFLICTED,
        T.SETTLED: S.SUCCEEDED,
        T.VOIDED: S.CANCELED,
    },
    S.REQUIRES_ACTION: {
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.CUSTOMER_ASKED: S.REQUIRES_ACTION,
        T.MISMATCHED: S.CONFLICTED,
        T.SETTLED: S.SUCCEEDED,
        T.VOIDED: S.CANCELED,
    },
    S.REQUIRES_CAPTURE: {
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.CAPTURED: S.SUCCEEDED,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.CUSTOMER_ASKED: S.REQUIRES_ACTION,
        T.ANSWER_LOST: S.UNKNOWN,
        T.MORE_OWED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
        T.SETTLED: S.SUCCEEDED,
        T.VOIDED: S.CANCELED,
    },
    S.SUCCEEDED: {
        T.AUTHORISED: S.REQUIRES_CAPTURE,
        T.DECLINED: S.REQUIRES_PAYMENT_METHOD,
        T.CUSTOMER_ASKED: S.REQUIRES_ACTION,
        T.MORE_OWED: S.PROCESSING,
        T.MISMATCHED: S.CONFLICTED,
    },
    S.CANCELED: {T.AUTHORISED: S.REQUIRES_CAPTURE, T.CAPTURED: S.SUCCEEDED, T.MISMATCHED: S.CONFLICTED},
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
