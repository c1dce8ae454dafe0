from collections import Counter

import pytest

from tests.support.documents import SERVICES, Document, components, may_hear, may_publish, subscriptions

FACTS = {
    "users": set[str](),
    "orders": {
        "payment-authorised",
        "payment-captured",
        "payment-declined",
        "payment-voided",
        "payment-refunded",
        "refund-failed",
        "user-erased",
    },
    "payments": {
        "order-placed",
        "order-changed",
        "order-cancelled",
        "order-expired",
        "order-shipped",
        "order-returned",
        "user-erased",
    },
    "notifications": {
        "order-paid",
        "order-cancelled",
        "user-registered",
        "email-verification-requested",
        "user-changed",
        "payment-declined",
        "payment-refunded",
        "security-alert",
        "user-erased",
        "password-reset-requested",
        "order-changed",
        "order-expired",
        "order-shipped",
        "order-delivered",
        "order-returned",
    },
}
QUICK = {"order-placed", "payment-captured", "order-paid", "outgoing-orders", "outgoing-security"}
QUEUE = {"outgoing-security", "outgoing-orders", "outgoing-marketing"}
DEAD = "/events/dead-letters"
LIVE = [it for it in subscriptions() if it.spec["routes"]["default"] != DEAD]
DEAD_LETTERS = [it for it in subscriptions() if it.spec["routes"]["default"] == DEAD]


def by_name(document: Document) -> str:
    return document.name


def topics(service: str, pubsub: str) -> Counter[str]:
    """Count, so that a topic subscribed twice is seen."""
    return Counter(it.spec["topic"] for it in LIVE if it.scopes == [service] and it.spec["pubsubname"] == pubsub)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_hears_what_it_must_and_once(service: str) -> None:
    assert topics(service, "pubsub") == Counter(FACTS[service])
    assert topics(service, "notification-queue") == Counter(QUEUE if service == "notifications" else ())


@pytest.mark.parametrize("subscription", subscriptions(), ids=by_name)
def test_a_subscription_serves_one_service_that_may_use_its_broker(subscription: Document) -> None:
    (service,) = subscription.scopes
    assert service in components()[subscription.spec["pubsubname"]].scopes
    assert subscription.path.stem == subscription.name
    assert subscription.body["apiVersion"] == "dapr.io/v2alpha1"
    # A rule that matches nothing drops the message; a default cannot.
    assert subscription.spec["routes"].keys() == {"default"}


@pytest.mark.parametrize("subscription", LIVE, ids=by_name)
def test_a_fact_arrives_at_the_route_of_its_topic(subscription: Document) -> None:
    assert subscription.spec["routes"]["default"] == f"/events/{subscription.spec['topic']}"


@pytest.mark.parametrize("subscription", LIVE, ids=by_name)
def test_what_the_sidecar_gives_up_on_has_a_place_and_a_reader(subscription: Document) -> None:
    (service,) = subscription.scopes
    topic = f"{service}-dead-letters"
    assert subscription.spec["deadLetterTopic"] == topic
    # A dead letter goes to the broker it came from.
    readers = [
        it.name
        for it in DEAD_LETTERS
        if (it.spec["pubsubname"], it.spec["topic"], it.scopes) == (subscription.spec["pubsubname"], topic, [service])
    ]
    assert len(readers) == 1


@pytest.mark.parametrize("subscription", LIVE, ids=by_name)
def test_batches_are_large_enough_to_pay_and_quick_enough_to_serve(subscription: Document) -> None:
    bulk = subscription.spec["bulkSubscribe"]
    workers = int(components()[subscription.spec["pubsubname"]].field("concurrency")["value"])
    assert bulk["enabled"]
    assert 0 < bulk["maxMessagesCount"] <= workers
    # every topic's clock ticks whether or not anything comes: quick where somebody waits, slow elsewhere
    quick = subscription.spec["topic"] in QUICK
    assert bulk["maxAwaitDurationMs"] in (range(10, 21) if quick else range(100, 201))


@pytest.mark.parametrize("subscription", DEAD_LETTERS, ids=by_name)
def test_dead_letters_have_no_dead_letters_of_their_own(subscription: Document) -> None:
    assert "deadLetterTopic" not in subscription.spec


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_reads_its_own_dead_letters(service: str) -> None:
    read = [it for it in DEAD_LETTERS if it.scopes == [service] and it.spec["pubsubname"] == "pubsub"]
    assert [it.spec["topic"] for it in read] == [f"{service}-dead-letters"]
    assert f"{service}-dead-letters" in may_publish(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_listen_to_what_it_subscribes_to_and_to_nothing_else(service: str) -> None:
    own = [it for it in subscriptions() if it.scopes == [service] and it.spec["pubsubname"] == "pubsub"]
    assert may_hear(service) == {it.spec["topic"] for it in own}


def test_every_fact_that_is_heard_has_one_publisher() -> None:
    for topic in {it.spec["topic"] for it in LIVE if it.spec["pubsubname"] == "pubsub"}:
        assert len([service for service in SERVICES if topic in may_publish(service)]) == 1, topic


def test_no_fact_has_two_publishers() -> None:
    owners = Counter(topic for service in SERVICES for topic in may_publish(service))
    assert owners.most_common(1)[0][1] == 1
