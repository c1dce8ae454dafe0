from typing import Final

from apps.chassis.problems import Problem
from apps.notifications.rendering import UnknownTemplateError
from apps.notifications.use_cases import TemplateMismatchError

PROBLEMS: Final[dict[type[Exception], Problem]] = {
    UnknownTemplateError: Problem(422, "unknown-template"),
    TemplateMismatchError: Problem(422, "template-data-mismatch"),
}
