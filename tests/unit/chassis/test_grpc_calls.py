"""What a call by gRPC came to: a lost answer must never read as one that went nowhere."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from apps.chassis.grpc_calls import complaint
from apps.notifications.failures import Failure, failure_of

NO_SUCH = (
    "error invoking output binding email: binding email does not support operation createMany. "
    "supported operations:create"
)
NO_ROUTE = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:50001: Connection refused"


@pytest.mark.parametrize(
    ("code", "said", "failure"),
    [
        (grpc.StatusCode.INTERNAL, NO_SUCH, Failure.TECHNICAL),
        (grpc.StatusCode.INTERNAL, "error invoking output binding email: dial tcp: refused", Failure.TECHNICAL),
        (grpc.StatusCode.INTERNAL, "error invoking output binding email: context deadline exceeded", Failure.UNKNOWN),
        (grpc.StatusCode.UNAVAILABLE, NO_ROUTE, Failure.TECHNICAL),
        (grpc.StatusCode.UNAUTHENTICATED, "invalid token", Failure.TECHNICAL),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", Failure.UNKNOWN),
        (grpc.StatusCode.UNAVAILABLE, "recvmsg:Connection reset by peer", Failure.UNKNOWN),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2", Failure.UNKNOWN),
        (grpc.StatusCode.CANCELLED, "", Failure.UNKNOWN),
        (grpc.StatusCode.UNKNOWN, "Stream removed", Failure.UNKNOWN),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max", Failure.UNKNOWN),
    ],
)
def test_a_call_that_went_nowhere_is_told_from_one_whose_answer_was_lost(
    code: grpc.StatusCode, said: str, failure: Failure
) -> None:
    error = AioRpcError(code, Metadata(), Metadata(), details=said)
    assert failure_of(f"binding email: {complaint(error)}") is failure
