from typing import Final

from apps.chassis.problems import Problem
from apps.users.domain import (
    CredentialsRefusedError,
    OneTimeTokenRefusedError,
    OperatorTokensOffError,
    RefreshRefusedError,
    UserNotFoundError,
)
from apps.users.passwords import OverloadedError

PROBLEMS: Final[dict[type[Exception], Problem]] = {
    CredentialsRefusedError: Problem(401, "credentials-refused"),
    RefreshRefusedError: Problem(401, "refresh-refused"),
    OneTimeTokenRefusedError: Problem(410, "link-not-valid"),
    UserNotFoundError: Problem(404, "user-not-found"),
    OperatorTokensOffError: Problem(403, "operator-tokens-off"),
    OverloadedError: Problem(503, "temporarily-unavailable", {"Retry-After": "1"}),
}
