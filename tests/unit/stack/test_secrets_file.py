import json
import stat
from typing import Any

import pytest

from stack import secrets_file
from stack.errors import StackError
from stack.home import Home


def edit(home: Home, **changes: Any) -> None:
    """Change keys of the file (with `_` for `-`); None removes one."""
    values = json.loads(home.secrets.read_text()) | {name.replace("_", "-"): value for name, value in changes.items()}
    home.secrets.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def test_secrets_are_made_once_with_mode_0600_and_kept(home: Home) -> None:
    first = secrets_file.ensure(home)
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600
    assert set(first) == set(secrets_file.SHAPES)
    assert secrets_file.ensure(home) == first


def test_no_two_secrets_are_the_same(home: Home) -> None:
    values = secrets_file.ensure(home)
    assert len(set(values.values())) == len(values)


def test_a_key_that_came_with_a_newer_release_is_added_and_nothing_else_changes(home: Home) -> None:
    before = secrets_file.ensure(home)
    edit(home, notifications_kek=None)
    after = secrets_file.ensure(home)
    assert {key for key in before if before[key] != after[key]} == {"notifications-kek"}
    assert secrets_file.ensure(home) == after


def test_a_loose_mode_is_tightened(home: Home) -> None:
    secrets_file.ensure(home)
    home.secrets.chmod(0o644)
    secrets_file.ensure(home)
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"valkey_password": None}, "valkey-password is missing"),
        ({"users_signing_kek": "c2hvcnQ="}, "users-signing-kek has a wrong value"),
        ({"payments_keks": "k1:abc"}, "payments-keks has a wrong value"),
        ({"orders_database_url": "postgresql://users:pw@127.0.0.1:1/orders"}, "orders-database-url has a wrong value"),
        ({"app_api_token": 7}, "app-api-token must be a text"),
    ],
)
def test_a_wrong_value_is_named_by_file_and_key_and_never_repeated(
    home: Home, changes: dict[str, Any], said: str
) -> None:
    secrets_file.ensure(home)
    edit(home, **changes)
    with pytest.raises(StackError) as refused:
        secrets_file.ensure(home)
    assert str(refused.value).startswith(f"{home.secrets}: {said}")
    assert not any(str(value) in str(refused.value).split(said)[1] for value in changes.values() if value)


def test_a_file_that_is_no_json_is_named(home: Home) -> None:
    home.secrets.write_text("{")
    with pytest.raises(StackError, match="no readable JSON"):
        secrets_file.ensure(home)


def test_a_second_key_encryption_key_is_welcome(home: Home) -> None:
    values = secrets_file.ensure(home)
    current = values["payments-keks"]
    edit(home, payments_keks=f"{current.replace('k1', 'k2')},{current}")
    assert secrets_file.ensure(home)["payments-keks"].startswith("k2:")


def test_database_addresses_follow_the_offset_and_keep_their_passwords(home: Home) -> None:
    before = secrets_file.ensure(home)
    after = secrets_file.ensure(Home(root=home.root, offset=2000))
    assert after["users-database-url"] == before["users-database-url"].replace(":16432/", ":17432/")
    assert after["valkey-password"] == before["valkey-password"]
