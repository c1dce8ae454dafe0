"""What lies outside a system, as tests ask it: stand-ins' own records, and what they are told to do."""

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

from stack import providers

STAND_INS = {"mailbox": 8025, "sms": 8026, "push": 8027, "card-processor": 8030, "card-processor-2": 8031}


class Outside:
    """The side of a system that its users do not see; a `System` says where it listens."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}
        """Stand-ins whose messages providers take instead, with the place of their channel in the providers' record."""

    def port(self, fixed: int) -> int:
        """A fixed port number as this system has it."""
        raise NotImplementedError

    def secret(self, key: str) -> str:
        """One value of secrets.json."""
        raise NotImplementedError

    def mailbox(self, to: str | None = None) -> list[dict[str, Any]]:
        """The mails that arrived, oldest first; those to one address when given."""
        query = urlencode({"to": to} if to else {})
        items: list[dict[str, Any]] = self.stand_in("mailbox", f"/messages?{query}")["items"]
        return items

    def processor(self, path: str) -> Any:
        """The card processor's own record, under Stripe's paths."""
        headers = {"Authorization": f"Bearer {self.secret('card-processor-key')}"}
        return self.stand_in("card-processor", path, headers=headers)

    def second_processor(self, path: str) -> Any:
        """The second processor's own record, under Checkout.com's paths."""
        headers = {"Authorization": f"Bearer {self.secret('card-processor-2-key')}"}
        return self.stand_in("card-processor-2", path, headers=headers)

    def stand_in(
        self, name: str, path: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Call a stand-in's HTTP side, e.g. `stand_in("mailbox", "/faults", "PUT", {"status": 503})`."""
        port = providers.PORT if name in self.records else STAND_INS[name]
        path = self.records.get(name, "") + path
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port(port)}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", **(headers or {})},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None
