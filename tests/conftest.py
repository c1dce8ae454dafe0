import signal
import threading
from types import FrameType

import psutil
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# The same cases each time, so that no change fails by another's luck, and however long one takes; `make soak` explores.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("exploring", deadline=None)
settings.load_profile("steady")


class ByFile(LoadFileScheduling):
    """Keeps each file on one worker, and all that kills under load on the same one: it fills a machine by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "chaos" if file.startswith("tests/chaos/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Share the suite out by files."""
    return ByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """End in order when told to, as by Ctrl-C: what tests started is taken down then."""

    def as_by_hand(_number: int, _frame: FrameType | None) -> None:
        if config.pluginmanager.hasplugin("dsession"):
            # a terminal sends its Ctrl-C to the workers as well, and who shares out runs nothing else
            for worker in psutil.Process().children():
                worker.terminate()
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt  # a shell starts what runs in its background deaf to Ctrl-C

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, as_by_hand)
