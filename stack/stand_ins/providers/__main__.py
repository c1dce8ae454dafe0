"""The providers of the internet, here: what sidecars send them comes in by a proxy, over TLS, to their real names."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette

from stack.stand_ins import serving
from stack.stand_ins.providers import certificates
from stack.stand_ins.providers.proxy import Proxy
from stack.stand_ins.providers.site import HOSTS, Closable, channels, providers, shown


def main() -> None:
    """Run until told to stop; each provider's credentials are in the environment, and demanded."""
    options = serving.arguments("providers", extra_ports=["proxy-port"])
    http, way = serving.listen("providers", options.port), serving.listen("providers", options.proxy_port)
    door = serving.listen("providers", 0)
    options.data.mkdir(parents=True, exist_ok=True)
    made = certificates.make(options.data, HOSTS)
    proxy, by = Proxy(HOSTS, door.getsockname()[1]), channels(options.data)
    config = Config()
    config.certfile, config.keyfile = str(made.certificate), str(made.key)
    # as the providers have it: HTTP/2 where the client can
    config.alpn_protocols = ["h2", "http/1.1"]
    config.loglevel = "WARNING"
    config.bind = [f"fd://{door.detach()}"]
    # hypercorn's types are narrower than ASGI's
    site: Any = Closable(providers(by, os.environ["TWILIO_AUTH_TOKEN"]), proxy)

    @asynccontextmanager
    async def open_doors(_: Starlette) -> AsyncGenerator[None]:
        over = asyncio.Event()
        serving_tls = asyncio.create_task(serve(site, config, shutdown_trigger=over.wait, mode="asgi"))
        server = await asyncio.start_server(proxy.pass_on, sock=way)
        try:
            yield
        finally:
            server.close()
            over.set()
            await serving_tls

    serving.serve("providers", shown(by, open_doors), http)


if __name__ == "__main__":
    main()
