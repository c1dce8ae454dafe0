import json

import pytest

from stack import addresses, profiles, resources
from stack.errors import StackError
from stack.home import Home
from stack.servers import jars, resolver
from stack.servers.server import MissingServerError


def words(*said: str) -> dict[str, str]:
    return {role: it.type for role, it in profiles.chosen(said).items()}


@pytest.fixture
def up(home: Home) -> Home:
    home.make_directories()
    resources.seed(home, reset=False)
    return home


def play(home: Home, *said: str) -> None:
    resources.choose(home, {role: it.profile for role, it in profiles.chosen(said).items()})


def test_a_product_is_called_by_its_type_or_its_last_words() -> None:
    for said in ("dynamodb", "aws.dynamodb", "state.aws.dynamodb"):
        assert words(f"order-details={said}") == {"order-details": "state.aws.dynamodb"}


def test_a_profile_is_all_roles_and_a_later_word_wins() -> None:
    found = words("reference", "pubsub=kafka")
    assert (found["pubsub"], found["notification-queue"]) == ("pubsub.kafka", "pubsub.rabbitmq")
    assert (found["order-details"], found["email"]) == ("state.mongodb", "bindings.smtp")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("refrence", "there is no profile 'refrence': there are embedded, amazon, apns, cloud, postmark, "),
        ("pubsup=kafka", "there is no role 'pubsup': there are "),
        ("pubsub=rabbit", "pubsub is not played by 'rabbit': there are pubsub.redis, pubsub.kafka, pubsub.rabbitmq"),
    ],
)
def test_a_word_that_means_nothing_is_answered_with_those_that_do(word: str, said: str) -> None:
    with pytest.raises(StackError) as refused:
        profiles.chosen([word])
    assert str(refused.value).startswith(said)


def test_a_choice_stays_at_the_next_start_and_is_no_edit(up: Home) -> None:
    play(up, "pubsub=rabbitmq")
    assert resources.seed(up, reset=False) == []
    assert "type: pubsub.rabbitmq" in (up.resources / "pubsub.yaml").read_text()
    assert resources.seed(up, reset=True) == []
    assert "type: pubsub.redis" in (up.resources / "pubsub.yaml").read_text()


def test_a_choice_replaces_what_was_edited_by_hand(up: Home) -> None:
    (up.resources / "pubsub.yaml").write_text("edited: true")
    play(up, "pubsub=redis")
    assert "type: pubsub.redis" in (up.resources / "pubsub.yaml").read_text()


def test_the_profile_in_use_has_its_name_and_a_mixture_has_none(up: Home) -> None:
    assert profiles.name(up) == "embedded"
    for profile in ("reference", "cloud", "embedded"):
        play(up, profile)
        assert profiles.name(up) == profile
    play(up, "reference", "order-details=dynamodb")
    assert profiles.name(up) == "mixed"


def test_a_server_is_needed_as_long_as_a_file_asks_for_its_address(up: Home) -> None:
    assert resolver.needed(up) == []
    play(up, "cloud")
    assert [server.name for server in resolver.needed(up)] == ["rabbitmq", "kafka", "dynamodb"]
    # an operator's own file counts as well
    play(up, "embedded")
    (up.resources / "mine.yaml").write_text(profiles.chosen(["reference"])["order-details"].path.read_text())
    assert [server.name for server in resolver.needed(up)] == ["mongodb"]


def test_an_address_in_the_environment_is_kept_and_runs_nothing(up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECART_KAFKA_BROKERS", "broker.example:9093")
    addresses.remember_given(up)
    monkeypatch.delenv("SIDECART_KAFKA_BROKERS")
    found = addresses.every(up)
    assert (found["SIDECART_KAFKA_BROKERS"], found["SIDECART_KAFKA_PLAINTEXT"]) == ("broker.example:9093", "false")
    assert resolver.programs(up, resolver.SERVERS["kafka"], {}, print) == []


def test_a_server_that_cannot_be_had_is_named_with_the_remedy(up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(jars, "cache_root", lambda: up.root)
    with pytest.raises(
        MissingServerError, match=r"^kafka is needed and cannot be had: java and mvn not found: install"
    ):
        resolver.programs(up, resolver.SERVERS["kafka"], {}, print)


def test_the_addresses_are_known_before_any_server_runs(up: Home) -> None:
    assert addresses.every(up)["SIDECART_RABBITMQ_ADDRESS"] == f"127.0.0.1:{up.port(addresses.RABBITMQ_PORT)}"
    assert json.loads((up.data / "seeded.json").read_text())["resources/pubsub.yaml"]
