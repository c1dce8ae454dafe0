import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


class ByFile(LoadFileScheduling):
    """Keeps each file on one worker, and all that kills under load on the same one: it fills a machine by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "chaos" if file.startswith("tests/chaos/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Share the suite out by files."""
    return ByFile(config, log)
