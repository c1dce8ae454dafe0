"""Subscriptions: to what, for whom, and where goes what cannot be handled."""

from collections.abc import Iterator

from stack.check.document import Document
from stack.check.finding import Finding, instead_of
from stack.check.world import World

Place = tuple[str, str]


def findings(document: Document, world: World) -> Iterator[Finding]:
    """Yield what would keep messages from arriving, or lose them."""
    yield from _routes(document)
    if lost := list(_broker(document, world)):
        yield from lost
        return
    place = (document.spec["pubsubname"], document.spec["topic"])
    dead_letters = document.spec.get("deadLetterTopic")
    if dead_letters is None:
        own = [f"{app_id}-dead-letters" for app_id in document.scopes]
        if place not in _dead_letter_places(world) and place[1] not in own:
            said = "no deadLetterTopic: what the sidecar gives up on is acknowledged and gone"
            yield document.finding(("spec",), said, f"add deadLetterTopic: {' or '.join(own) or 'APP-ID-dead-letters'}")
        return
    if dead_letters == place[1]:
        yield document.finding(
            ("spec", "deadLetterTopic"), "its dead letters come back to itself", "name another topic"
        )
        return
    for app_id in world.loaded_by(document):
        readers = {it.spec["topic"] for it in world.of("Subscription") if _reads(it, place[0], app_id)}
        if dead_letters not in readers | world.broken:
            said = f"{app_id} does not read {dead_letters} from {place[0]}: what lands there is lost"
            offered = [topic for topic in readers if topic.endswith("-dead-letters")]
            remedy = instead_of(dead_letters, offered) if offered else f"add a subscription of {app_id} to it"
            yield document.finding(("spec", "deadLetterTopic"), said, remedy)
            return


def _reads(subscription: Document, pubsub: str, app_id: str) -> bool:
    return subscription.spec["pubsubname"] == pubsub and subscription.reaches(app_id)


def _dead_letter_places(world: World) -> set[Place]:
    every = world.of("Subscription")
    return {(it.spec["pubsubname"], it.spec["deadLetterTopic"]) for it in every if "deadLetterTopic" in it.spec}


def _broker(document: Document, world: World) -> Iterator[Finding]:
    name, keys = document.spec["pubsubname"], ("spec", "pubsubname")
    broker = world.components.get(name)
    brokers = {it.name: it for it in world.of("Component") if it.spec["type"].startswith("pubsub.")}
    if broker is None:
        if name not in world.broken:
            yield document.finding(keys, f"there is no component {name}", instead_of(name, brokers))
        return
    if name not in brokers:
        yield document.finding(keys, f"{name} is a {broker.spec['type']}, no broker", instead_of(name, brokers))
        return
    for app_id in world.loaded_by(document):
        if not broker.reaches(app_id):
            said = f"{app_id} does not load {name}"
            yield document.finding(keys, said, f"add {app_id} to the scopes of {broker.path.name}")


def _routes(document: Document) -> Iterator[Finding]:
    routes = document.spec["routes"]
    if not routes.get("default"):
        said = "no default route: what matches no rule is acknowledged and gone"
        yield document.finding(("spec", "routes"), said, f"add default: /events/{document.spec['topic']}")
    elif not routes["default"].startswith("/"):
        keys = ("spec", "routes", "default")
        yield document.finding(keys, f"the route is {routes['default']!r}", "start it with a /")
    bulk = document.spec.get("bulkSubscribe", {})
    for field in ("maxMessagesCount", "maxAwaitDurationMs"):
        if bulk.get(field, 1) < 1:
            keys = ("spec", "bulkSubscribe", field)
            yield document.finding(keys, f"{field} is {bulk[field]}", "give 1 or more")
