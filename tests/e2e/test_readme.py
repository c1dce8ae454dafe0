"""The tour of the README, typed as it stands there."""

import asyncio
import re
import shutil
import subprocess
from uuid import uuid4

import pytest

from stack.home import CHECKOUT
from tests.support.shop import Shop
from tests.support.system import System

ADDRESS = "ada@example.org"


async def test_the_tour_by_curl_ends_with_a_mail(system: System, shop: Shop) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the tour is typed with curl, which is not here: install it")
    blocks = re.findall(r"```sh\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    [tour] = [block for block in blocks if block.startswith("edge=")]
    # this system's ports, somebody of this test's own, and failures that count
    mine = f"ada-{uuid4().hex}@example.org"
    changes = {f"localhost:{port}": f"localhost:{system.port(port)}" for port in (3500, 8025)}
    changes |= {ADDRESS: mine, "curl -s": "curl -sf --noproxy '*'", ".venv/bin/": f"{CHECKOUT}/.venv/bin/"}
    for right, ours in changes.items():
        assert right in tour, right
        tour = tour.replace(right, ours)
    command = ["bash", "-euc", tour]
    done = await asyncio.to_thread(
        subprocess.run, command, env=system.env, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [number] = set(re.findall(r'"number":"([^"]+)"', done.stdout))
    await shop.wait_mail(mine, number)
