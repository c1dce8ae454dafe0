import pytest

from tests.support.broken import Slip, assert_found, found_in, sound

SMS = "components/embedded/sms.yaml"
QUEUE = "resiliency/notification-queue-policies.yaml"
SLIPS = [
    Slip(SMS, "spec:\n", "spec: [\n", "no valid YAML", at="version: v1"),
    Slip(SMS, "  type:", "\ttype:", "no valid YAML"),
    Slip(
        SMS, "scopes: [notifications]", "scopes: [notifications]\n---\nkind: Other", "second document", at="kind: Other"
    ),
    Slip(SMS, "  version: v1\n", "  version: v1\n  version: v2\n", "version stands twice", at="version: v2"),
    Slip(SMS, "kind: Component", "kind: Compnent", "kind is Compnent; did you mean Component?"),
    Slip(SMS, "dapr.io/v1alpha1", "dapr.io/v2", 'apiVersion is "dapr.io/v2"; it must be dapr.io/v1alpha1'),
    Slip(SMS, "  name: sms\n", "  name: ../sms\n", 'metadata.name is "../sms"; give letters'),
    Slip(SMS, "  name: sms\n", "  nam: sms\n", "metadata.nam is nothing that metadata has; did you mean name?"),
    Slip(SMS, "  type: bindings.http\n", "", "spec.type is missing; add it", at="spec:"),
    Slip(SMS, "  version: v1\n", "  version: v1\n  initTimout: 5s\n", "did you mean initTimeout?", at="initTimout"),
    Slip(SMS, "  version: v1\n", "  version: 1\n", "spec.version is 1; it must be a text"),
    Slip(SMS, "  version: v1\n", "  version:\n", "spec.version is empty", at="version:"),
    Slip(
        SMS, "  version: v1\n", "  version: v1\n  ignoreErrors: often\n", "it must be true or false", at="ignoreErrors"
    ),
    Slip(QUEUE, "maxRetries: 3", 'maxRetries: "3"', 'maxRetries is "3"; it must be a whole number'),
    Slip(QUEUE, "scopes: [notifications]", "scopes: notifications", "it must be a list"),
    Slip(QUEUE, "        duration: 500ms\n", "        duration: {}\n", "is a group of fields; it must be a text"),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_in_the_shape_of_a_file_is_found_on_its_line(slip: Slip) -> None:
    if "metadata.nam " in slip.said:
        # The name is missing as well then.
        assert len([told for told in found_in(slip) if f":{slip.line()}: " in told or "is missing" in told]) == 2
        return
    assert_found(slip)


def test_a_file_without_anything_is_found() -> None:
    slip = Slip(SMS, "# Text messages", "# Text messages", "")
    (told,) = found_in(Slip(SMS, slip.text(), "# nothing\n", ""))
    assert told.endswith("sms.yaml:1: holds no resource; start with apiVersion, kind, metadata, spec")


def test_two_files_with_one_name_are_found_in_the_second() -> None:
    told = found_in(Slip("components/embedded/push.yaml", "name: push", "name: sms", ""))
    assert "sms.yaml:5: Component sms is in push.yaml already: sidecars would end; rename or remove one" in "".join(
        told
    )


def test_what_refers_to_a_broken_file_is_not_called_broken_too() -> None:
    assert len(found_in(Slip("components/embedded/pubsub.yaml", "spec:", "spec: [", ""))) == 1
    assert len(found_in(Slip("components/embedded/secrets.yaml", "type:", "typ:", ""))) == 2
    assert len(found_in(Slip("dapr/subscriptions/orders-dead-letters.yaml", "topic:", "topics:", ""))) == 2


def test_keys_that_yaml_takes_for_something_else_are_texts_to_a_sidecar() -> None:
    file = "resiliency/undelivered-policies.yaml"
    numbered = Slip(file, "undelivered-call: 5s", "5: 5s", "")
    assert len(found_in(numbered)) == 2, "unused, and not there"
    used = numbered.text().replace("{timeout: undelivered-call,", '{timeout: "5",')
    assert found_in(Slip(file, sound()[numbered.path()], used, "")) == []


def test_yaml_that_refers_to_itself_is_found() -> None:
    (told,) = found_in(Slip(SMS, "scopes: [notifications]", "scopes: &all [*all]", ""))
    assert "sms.yaml:1: no valid YAML: " in told
