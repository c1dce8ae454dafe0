from typing import Final

from apps.chassis.problems import Problem
from apps.users.domain import (
    ClientNotFoundError,
    CodeRefusedError,
    CredentialsRefusedError,
    LastAdministratorError,
    OneTimeTokenRefusedError,
    OperatorTokensOffError,
    PasswordTooCommonError,
    PasswordWrongError,
    RefreshRefusedError,
    SecondFactorOnError,
    SessionEndedError,
    SignInTooOldError,
    UserNotFoundError,
)
from apps.users.passwords import OverloadedError
from apps.users.throttling import ThrottledError

PROBLEMS: Final[dict[type[Exception], Problem]] = {
    CredentialsRefusedError: Problem(401, "credentials-refused"),
    RefreshRefusedError: Problem(401, "refresh-refused"),
    SessionEndedError: Problem(401, "session-ended", {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
    SignInTooOldError: Problem(403, "sign-in-too-old"),
    PasswordWrongError: Problem(403, "password-wrong"),
    CodeRefusedError: Problem(403, "code-refused"),
    OperatorTokensOffError: Problem(403, "operator-tokens-off"),
    UserNotFoundError: Problem(404, "user-not-found"),
    ClientNotFoundError: Problem(404, "client-not-found"),
    SecondFactorOnError: Problem(409, "second-factor-on"),
    LastAdministratorError: Problem(409, "last-administrator"),
    OneTimeTokenRefusedError: Problem(410, "link-not-valid"),
    PasswordTooCommonError: Problem(422, "invalid-content"),
    ThrottledError: Problem(429, "too-many-tries"),
    OverloadedError: Problem(503, "temporarily-unavailable", {"Retry-After": "1"}),
}
