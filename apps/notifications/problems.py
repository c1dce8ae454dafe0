from typing import Final

from apps.chassis.problems import Problem
from apps.notifications.campaigns import CampaignNotFoundError, CampaignStateError
from apps.notifications.catalogue import UnknownTemplateError
from apps.notifications.failed_messages import CodeIsGoneError, NotUndeliveredError
from apps.notifications.receipts import BadSignatureError, ReceiptsClosedError
from apps.notifications.rendering import RenderingError
from apps.notifications.use_cases import TemplateMismatchError
from apps.notifications.wordings import BadTemplateError, TemplateChangedError, TemplateNotFoundError

PROBLEMS: Final[dict[type[Exception], Problem]] = {
    UnknownTemplateError: Problem(422, "unknown-template"),
    TemplateMismatchError: Problem(422, "template-data-mismatch"),
    RenderingError: Problem(422, "template-data-mismatch"),
    TemplateNotFoundError: Problem(404, "template-not-found"),
    BadTemplateError: Problem(422, "template-not-valid"),
    TemplateChangedError: Problem(412, "template-changed"),
    NotUndeliveredError: Problem(404, "undelivered-not-found"),
    CodeIsGoneError: Problem(409, "code-is-gone"),
    CampaignNotFoundError: Problem(404, "campaign-not-found"),
    CampaignStateError: Problem(409, "campaign-state"),
    BadSignatureError: Problem(401, "signature-not-valid"),
    ReceiptsClosedError: Problem(503, "receipts-closed"),
}
