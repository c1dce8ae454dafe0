import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stack import profiles, providers, secrets_file, services, topology
from stack.errors import StackError
from stack.home import Home


@pytest.fixture
def ready(home: Home) -> Home:
    home.make_directories()
    secrets_file.ensure(home)
    return home


def led(home: Home, app_id: str) -> bool:
    """Tell whether a sidecar takes the way to the stand-ins."""
    return sidecar(home, app_id).get("HTTPS_PROXY") == f"http://127.0.0.1:{home.port(providers.PROXY_PORT)}"


def sidecar(home: Home, app_id: str) -> dict[str, str]:
    found = topology.load()
    made = services.Services(home, found, Path("daprd"), secrets_file.load(home)).replica(found.app(app_id))
    return made[-1].env


def test_mail_goes_by_as_many_lanes_as_there_are_whoever_carries_it() -> None:
    chosen = profiles.chosen(["email=postmark"])
    assert {role: it.type for role, it in chosen.items()} == dict.fromkeys(("email", "email-2"), "bindings.postmark")
    assert set(profiles.chosen(["sms=sns"])) == {"sms"}


def test_a_provider_without_an_account_is_refused_with_what_to_do(ready: Home) -> None:
    with pytest.raises(StackError) as refused:
        providers.refuse_strangers(ready, profiles.chosen(["sms=twilio.sms"]).values())
    assert str(refused.value) == (
        "sms cannot be bindings.twilio.sms: no account with twilio.sms: put twilio-account-sid, twilio-auth-token into "
        f"{ready.secrets} and restart, or start with SIDECART_PROVIDERS=stand-ins"
    )


def test_an_account_of_ones_own_is_as_good_as_a_stand_in(ready: Home) -> None:
    own = {"twilio-account-sid": "AC1", "twilio-auth-token": "token"}
    ready.secrets.write_text(json.dumps(secrets_file.load(ready) | own))
    providers.refuse_strangers(ready, profiles.chosen(["sms=twilio.sms", "pubsub=kafka"]).values())
    assert not led(ready, "notifications")


def test_only_the_sidecar_of_notifications_is_led_to_the_stand_ins(
    ready: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECART_PROVIDERS", "stand-ins")
    providers.remember(ready)
    monkeypatch.delenv("SIDECART_PROVIDERS")
    providers.refuse_strangers(ready, profiles.chosen(["amazon", "email=postmark", "push=apns"]).values())
    assert [app_id for app_id in ("orders", "payments", "notifications") if led(ready, app_id)] == ["notifications"]


def test_a_slip_of_the_pen_does_not_reach_the_providers(ready: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECART_PROVIDERS", "standins")
    with pytest.raises(StackError, match="SIDECART_PROVIDERS=standins: write stand-ins"):
        providers.remember(ready)


def test_the_key_made_for_apple_is_one(ready: Home) -> None:
    key = load_pem_private_key(secrets_file.load(ready)["apns-private-key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
