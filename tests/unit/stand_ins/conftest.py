from collections.abc import Iterator

import pytest
import stripe

from tests.support.stand_ins import StandIn, running


@pytest.fixture(scope="session")
def sms_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running("sms", tmp_path_factory.mktemp("sms"), SMS_TOKEN="sms-secret") as one:
        yield one


@pytest.fixture
def sms(sms_process: StandIn) -> StandIn:
    sms_process.fresh()
    return sms_process


@pytest.fixture(scope="session")
def push_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running("push", tmp_path_factory.mktemp("push")) as one:
        yield one


@pytest.fixture
def push(push_process: StandIn) -> StandIn:
    push_process.fresh()
    return push_process


@pytest.fixture(scope="session")
def mailbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("mailbox")
    with running("mailbox", folder, MAILBOX_USER="post", MAILBOX_PASSWORD="horn") as one:
        yield one


@pytest.fixture
def mailbox(mailbox_process: StandIn) -> StandIn:
    mailbox_process.fresh()
    return mailbox_process


@pytest.fixture(scope="session")
def processor_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("card-processor")
    secrets = {"CARD_PROCESSOR_KEY": "sk_test_tests", "CARD_PROCESSOR_WEBHOOK_SECRET": "whsec_tests"}
    with running("card_processor", folder, **secrets) as one:
        yield one


@pytest.fixture
def processor(processor_process: StandIn) -> StandIn:
    processor_process.call("DELETE", "/faults")
    return processor_process


@pytest.fixture(scope="session")
def second_processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("card-processor-2")
    secrets = {"CARD_PROCESSOR_2_KEY": "sk_sbox_tests", "CARD_PROCESSOR_2_WEBHOOK_SECRET": "a key of tests"}
    with running("card_processor_2", folder, **secrets) as one:
        yield one


@pytest.fixture
def shop(processor: StandIn) -> stripe.StripeClient:
    """The official SDK, without retries of its own."""
    return stripe.StripeClient("sk_test_tests", base_addresses={"api": processor.url}, max_network_retries=0)
