"""The files of one system, whatever the checkout's are."""

from pathlib import Path

import pytest

from stack import apply, resources, secrets_file
from stack.check import running
from stack.errors import StackError
from stack.home import Home
from stack.reloading import ConfigurationWatch


@pytest.fixture
def seeded(home: Home) -> Home:
    """A home as the first `up` leaves it."""
    secrets_file.ensure(home)
    resources.seed(home, reset=False)
    return home


def edit(home: Home, name: str, right: str, wrong: str) -> Path:
    path = home.resources / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    return path


def told(home: Home) -> list[str]:
    return [str(finding) for finding in running.findings(home)]


def test_what_a_first_start_seeds_is_sound(seeded: Home) -> None:
    assert told(seeded) == []


def test_a_file_broken_by_hand_is_named_until_it_is_repaired(seeded: Home) -> None:
    path = edit(seeded, "order-details-policies.yaml", "3s", "3 seconds")
    (only,) = told(seeded)
    assert only.startswith(f"{path}:10: timeouts.order-details-call is '3 seconds'; write a duration")
    edit(seeded, "order-details-policies.yaml", "3 seconds", "3s")
    assert told(seeded) == []


def test_a_file_that_cannot_be_read_is_named(seeded: Home) -> None:
    path = seeded.resources / "sms.yaml"
    path.write_bytes(b"\xff\xfe")
    (only,) = told(seeded)
    assert only == f"{path}:1: cannot be read: no UTF-8; save it as UTF-8"
    path.unlink()
    path.mkdir()
    assert f"{path}:1: cannot be read: Is a directory; repair or remove it" in told(seeded)


def test_a_file_in_a_folder_is_named_since_no_sidecar_looks_there(seeded: Home) -> None:
    (seeded.resources / "old").mkdir()
    path = seeded.resources / "old" / "sms.yml"
    path.write_text("kind: Component")
    assert told(seeded) == [f"{path}:1: no sidecar looks into a folder; move it to {seeded.resources}"]


def test_a_secret_and_an_app_id_of_this_system_alone_are_known(seeded: Home) -> None:
    edit(seeded, "sms.yaml", "sms-token, key: sms-token", "mine, key: mine")
    assert "there is no secret mine" in told(seeded)[0]
    seeded.secrets.write_text('{"mine": "x"}')
    assert told(seeded) == []
    edit(seeded, "secrets.yaml", "scopes: [", "scopes: [loyalty, ")
    assert "loyalty is no app-id" in told(seeded)[0]
    own = (seeded.config / "orders.yaml").read_text().replace("name: orders\n", "name: loyalty\n", 1)
    (seeded.config / "loyalty.yaml").write_text(own)
    assert told(seeded) == []


def test_a_start_refuses_what_no_sidecar_could_use_and_only_tells_of_the_rest(seeded: Home) -> None:
    edit(seeded, "email-policies.yaml", "timeout: email-send", "timeout: email-sent")
    (warned,) = running.refuse_unusable(seeded)
    assert "would have no policy email-sent" in str(warned)
    path = edit(seeded, "pubsub.yaml", 'value: "256"', 'value: "many"')
    with pytest.raises(StackError, match=rf"^{path}:22: concurrency is 'many'; write a number$"):
        running.refuse_unusable(seeded)


def test_what_would_break_another_file_is_refused(seeded: Home, tmp_path: Path) -> None:
    changed = tmp_path / "pubsub.yaml"
    text = (seeded.resources / "pubsub.yaml").read_text()
    changed.write_text(text.replace("scopes: [users, orders, payments, ", "scopes: [users, orders, "))
    others = len([*seeded.resources.glob("payments-*.yaml")]) - 1
    said = rf"payments-dead-letters\.yaml:7: payments does not load pubsub; .*and {others} more"
    with pytest.raises(StackError, match=said):
        apply.apply(seeded, changed)
    assert (seeded.resources / "pubsub.yaml").read_text() == text


def test_what_is_broken_already_does_not_keep_another_file_from_being_repaired(seeded: Home, tmp_path: Path) -> None:
    edit(seeded, "sms.yaml", "version: v1", "version: v9")
    edit(seeded, "push.yaml", "version: v1", "version: v9")
    repaired = tmp_path / "sms.yaml"
    repaired.write_text((seeded.resources / "sms.yaml").read_text().replace("version: v9", "version: v1"))
    apply.apply(seeded, repaired)
    (only,) = told(seeded)
    assert "push.yaml" in only


def test_a_file_with_its_policies_elsewhere_is_refused_where_they_are_not(seeded: Home, tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    text = (seeded.resources / "email-policies.yaml").read_text()
    policy.write_text(text.replace("name: email\n", "name: mine\n", 1).replace("email-send", "mine-send"))
    with pytest.raises(StackError, match=r"mine\.yaml:\d+: \S+ stands in email-policies\.yaml too"):
        apply.apply(seeded, policy)


def test_a_broken_configuration_is_not_passed_on_to_its_sidecar(seeded: Home) -> None:
    watch = ConfigurationWatch(seeded)
    assert list(watch.pass_on()) == []
    path = seeded.config / "orders.yaml"
    path.write_text(path.read_text().replace("accessControl:", "accesControl:"))
    (said,) = watch.pass_on()
    assert said.startswith(f"not reloaded: {path}:9: spec.accesControl is nothing that spec has; did you mean accessC")
    assert list(watch.pass_on()) == []
