"""Documents by role; who reads and writes them does not notice that they are being moved to another store."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from apps.chassis.sidecar import Document, Sidecar, StoreMissingError


class Gate:
    """Lets calls pass until it is held; whoever holds it has waited for those under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._idle, self._open = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._open.set()
        self._expiry: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def passing(self) -> AsyncGenerator[None]:
        """Be under way; wait first where it is held."""
        while not self._open.is_set():
            await self._open.wait()
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def hold(self, for_s: float) -> None:
        """Hold for *for_s* at most, so that a caller who dies holds up nobody; TimeoutError where calls go on."""
        self.release()
        self._open.clear()
        self._expiry = asyncio.get_running_loop().call_later(for_s, self.release)
        async with asyncio.timeout(for_s):
            await self._idle.wait()

    def release(self) -> None:
        """Let calls pass again."""
        if self._expiry:
            self._expiry.cancel()
            self._expiry = None
        self._open.set()


class Documents:
    """The state stores of one process.

    A sidecar that closes a component in the middle of a call has been seen to die of it (state.postgresql). So whoever
    replaces one holds it meanwhile.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self.gates: defaultdict[str, Gate] = defaultdict(Gate)
        """By component."""

    async def get(self, role: str, keys: Sequence[str]) -> dict[str, Document]:
        """Read many documents; what the role's store lacks may still be in the one it had before."""
        found = await self.read(role, keys)
        if missing := [key for key in keys if key not in found]:
            with suppress(StoreMissingError):
                found |= await self.read(f"{role}-previous", missing)
        return found

    async def put(self, component: str, documents: Mapping[str, bytes], ttl_s: int | None = None) -> None:
        """Write documents, each by itself; SidecarError where one may not have been kept."""
        async with self.gates[component].passing():
            await self._sidecar.put_documents(component, documents, ttl_s)

    async def remove(self, component: str, keys: Sequence[str]) -> None:
        """Remove documents; one that does not exist is no error."""
        async with self.gates[component].passing():
            for key in keys:
                await self._sidecar.delete_document(component, key)

    async def read(self, component: str, keys: Sequence[str]) -> dict[str, Document]:
        """Read from this component alone; what it lacks is absent."""
        async with self.gates[component].passing():
            return await self._sidecar.get_documents(component, keys)

    async def delete(self, role: str, key: str) -> None:
        """Remove a document, also from the store that the role had before; one that does not exist is no error."""
        for component in (role, f"{role}-previous"):
            async with self.gates[component].passing():
                with suppress(StoreMissingError):
                    await self._sidecar.delete_document(component, key)
