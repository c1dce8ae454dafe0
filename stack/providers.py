"""Whose the providers of mail, text messages and push are: the internet's, with accounts of one's own, or stand-ins."""

import os
import sys
from collections.abc import Iterable
from typing import Final

from stack import environment
from stack.errors import StackError
from stack.home import Home
from stack.profiles import Variant
from stack.program import Check, Program
from stack.secrets_file import MADE_UP, load

PORT: Final = 8028
PROXY_PORT: Final = 8029
_VARIABLE: Final = "SIDECART_PROVIDERS"
_STAND_INS: Final = "stand-ins"
_REAL: Final = ""
# Environment of the process -> the secret that it demands.
_DEMANDED: Final = {
    "SENDGRID_API_KEY": "sendgrid-api-key",
    "POSTMARK_SERVER_TOKEN": "postmark-server-token",
    "SES_ACCESS_KEY": "ses-access-key",
    "SES_SECRET_KEY": "ses-secret-key",
    "SNS_ACCESS_KEY": "sns-access-key",
    "SNS_SECRET_KEY": "sns-secret-key",
    "TWILIO_AUTH_TOKEN": "twilio-auth-token",
    "APNS_KEY_ID": "apns-key-id",
    "APNS_TEAM_ID": "apns-team-id",
    "APNS_PRIVATE_KEY": "apns-private-key",
}


def remember(home: Home) -> None:
    """Keep what the caller's environment says: replicas that other shells start go the same way."""
    said = os.environ.get(_VARIABLE, _REAL)
    if said not in {_REAL, _STAND_INS}:
        raise StackError(f"{_VARIABLE}={said}: write {_STAND_INS}, or leave it out for the providers themselves")
    (home.run / "providers").write_text(said)


def stood_in(home: Home) -> bool:
    """Tell whether providers are stand-ins of ours."""
    kept = home.run / "providers"
    return kept.exists() and kept.read_text() == _STAND_INS


def way(home: Home) -> dict[str, str]:
    """Return what makes a sidecar take its providers for ours: the way there, and whom to believe."""
    if not stood_in(home):
        return {}
    proxy = f"http://127.0.0.1:{home.port(PROXY_PORT)}"
    authority = str(home.data / "providers" / "authority.pem")
    # Amazon's client goes by a bundle of its own where the caller has one
    believed = {"SSL_CERT_FILE": authority, "AWS_CA_BUNDLE": authority}
    return {"HTTPS_PROXY": proxy, "https_proxy": proxy, **believed}


def programs(home: Home, secrets: dict[str, str]) -> list[Program]:
    """Describe the stand-ins' process, where there is one: a server, since a sidecar needs its authority first."""
    if not stood_in(home):
        return []
    ports = {"http": home.port(PORT), "proxy": home.port(PROXY_PORT)}
    data = home.data / "providers"
    data.mkdir(mode=0o700, exist_ok=True)
    options = ["--port", str(ports["http"]), "--proxy-port", str(ports["proxy"]), "--data", str(data)]
    return [
        Program(
            name="providers",
            kind="server",
            argv=[sys.executable, "-m", "stack.stand_ins.providers", *options],
            env=environment.inherited() | {name: secrets[key] for name, key in _DEMANDED.items()},
            ports=ports,
            check=Check(via="http", port=ports["http"], path="/healthz"),
        )
    ]


def missing(home: Home, variant: Variant) -> str | None:
    """Say why a provider would refuse us and what to do; None when it is a stand-in, or told of an account."""
    if stood_in(home):
        return None
    values = load(home)
    if not any(values[key].startswith(MADE_UP) for key in variant.secrets):
        return None
    product = variant.type.removeprefix("bindings.")
    return (
        f"no account with {product}: put {', '.join(variant.secrets)} into {home.secrets} and restart, "
        f"or start with {_VARIABLE}={_STAND_INS}"
    )


def refuse_strangers(home: Home, variants: Iterable[Variant]) -> None:
    """Raise for the first provider that would refuse us, before anything is changed."""
    for variant in variants:
        if (why := missing(home, variant)) is not None:
            raise StackError(f"{variant.role} cannot be {variant.type}: {why}")
