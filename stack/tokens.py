"""Each app and its sidecar share tokens of their own, so that what one service holds opens no other's door."""

import hashlib
import hmac


def for_sidecar(secrets: dict[str, str], app_id: str) -> str:
    """Return what the sidecar of *app_id* asks of its callers (`DAPR_API_TOKEN`)."""
    return _derive(secrets["dapr-api-token"], app_id)


def for_app(secrets: dict[str, str], app_id: str) -> str:
    """Return what the app *app_id* asks of its sidecar (`APP_API_TOKEN`)."""
    return _derive(secrets["app-api-token"], app_id)


def _derive(root: str, app_id: str) -> str:
    return hmac.new(root.encode(), app_id.encode(), hashlib.sha256).hexdigest()
