from http import HTTPStatus
from uuid import UUID

from pydantic import ValidationError

from apps.chassis.sidecar import Sidecar, SidecarError
from apps.contracts.users import Contact


async def contact_of(sidecar: Sidecar, user_id: UUID) -> Contact | None:
    """Ask users how to reach somebody; None where nobody goes by that id, SidecarError where users cannot say."""
    answer = await sidecar.invoke("users", "GET", "/internal/users/contact", query={"id": str(user_id)})
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise SidecarError(f"users answered {answer.status} when asked for a contact")
    try:
        return Contact.model_validate(answer.json())
    except ValidationError as error:
        raise SidecarError("users answered with a contact that cannot be read") from error
