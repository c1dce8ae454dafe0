from uuid import uuid4

import orjson

from apps.contracts.base import Money
from apps.payments import decisions
from apps.payments.payment import Payment

TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def test_a_record_without_a_trace_is_as_the_release_before_wrote_it() -> None:
    payment = decisions.early(uuid4(), uuid4(), Money(amount=1999, currency="EUR"))
    assert "trace" not in orjson.loads(payment.dump())
    assert Payment.load(payment.dump()) == payment


def test_a_trace_is_kept_with_its_record() -> None:
    payment = decisions.early(uuid4(), uuid4(), Money(amount=1999, currency="EUR"))
    payment.trace = TRACE
    assert Payment.load(payment.dump()) == payment
    assert orjson.loads(payment.dump())["trace"] == TRACE
