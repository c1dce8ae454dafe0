import pytest

from stack.check import upstream
from stack.check.fields import types
from stack.check.schema import SCHEMAS
from stack.errors import StackError


def test_what_is_kept_of_dapr_is_what_its_modules_say() -> None:
    try:
        generated = upstream.generate()
    except StackError as error:
        pytest.skip(f"not run: {error}")
    assert {path.name for path in SCHEMAS.glob("*.json")} == set(generated)
    for name, text in generated.items():
        assert (SCHEMAS / name).read_text() == text, f"{name} is stale: run `make dapr-schemas` and review it"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "pubsub.rabbitmq",
            "pubsub.kafka",
            "state.mongodb",
            "state.aws.dynamodb",
            "state.redis",
            "bindings.twilio.sms",
        ),
        *("bindings.aws.ses", "bindings.twilio.sendgrid", "secretstores.hashicorp.vault", "middleware.http.ratelimit"),
    ],
)
def test_the_fields_of_what_a_profile_may_name_are_known(name: str) -> None:
    assert types()[name]["v1"]["fields"]


def test_fields_that_only_the_sources_name_are_known_too() -> None:
    assert "region" in types()["state.aws.dynamodb"]["v1"]["also"]
    assert "timeoutInSeconds" in types()["state.postgresql"]["v2"]["also"]
    assert "azureClientId" in types()["state.redis"]["v1"]["also"]
