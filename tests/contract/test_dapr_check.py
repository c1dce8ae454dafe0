"""The linter holds the checkout: what it knows is tested in tests/unit/stack/check, one slip for each rule."""

from stack.check import checkout


def test_the_files_that_sidecars_read_are_sound_under_every_profile() -> None:
    assert [str(finding) for finding in checkout.findings()] == []
