from collections.abc import Mapping
from typing import Final

import aiohttp

_TIMEOUT_S: Final = 10


class Sender:
    """Posts events. A module of its own: aiohttp costs 6 MB, which a processor without endpoints need not pay."""

    def __init__(self, connections: int) -> None:
        connector = aiohttp.TCPConnector(limit=connections)
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))

    async def send(self, url: str, body: bytes, signed: Mapping[str, str]) -> bool:
        """Tell whether the endpoint took the event: a 2xx within ten seconds."""
        headers = {"Content-Type": "application/json; charset=utf-8", **signed}
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return 200 <= answer.status < 300  # noqa: PLR2004 - the 2xx
        except (aiohttp.ClientError, OSError, ValueError):
            # a timeout is an OSError, an address that cannot be one a ValueError
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
