"""What people, staff and support do with messages, as they do it: through the edge."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from tests.support.campaigns import done
from tests.support.shop import Answer, Customer, Shop, until

NEWS = {"subject": "Spring is here", "text": "Everything new."}


@pytest.fixture
async def mailbox(shop: Shop) -> AsyncIterator[Shop]:
    """Whatever a test tells the mail server to do, it behaves again at the end."""
    yield shop
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "DELETE")


async def ask(shop: Shop, method: str, path: str, body: Any = None, *, role: str, **more: Any) -> Answer:
    return await shop.call("notifications", method, path, body, token=shop.operator_token(role), **more)


async def campaign(shop: Shop, *users: str, **changes: Any) -> dict[str, Any]:
    asked = {"template": "announcement", "channel": "email", "audience": {"user_ids": list(users)}, "data": NEWS}
    answer = await ask(shop, "POST", "/campaigns", {**asked, **changes}, role="staff", key=uuid4().hex)
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.body
    return found


async def test_preferences_are_kept_and_shape_what_is_sent(shop: Shop, sku: str) -> None:
    customer = await shop.register(phone="+4930123456", locale="de")

    async def told() -> dict[str, Any] | None:
        asked: dict[str, Any] = (await shop.call("notifications", "GET", "/preferences", token=customer.token)).body
        return asked if asked["locale"] == "de" else None

    wanted = await until(told, "users' word of the customer to arrive")
    assert wanted["quiet_hours"] is None
    wanted["channels"] |= {"sms": True, "push": True}
    wanted["categories"]["orders"]["email"] = False
    wanted["locale"] = "fr"
    kept = await shop.call("notifications", "PUT", "/preferences", wanted, token=customer.token)
    assert (kept.status, kept.body) == (200, wanted)
    number = (await shop.order(customer, sku)).body["number"]

    async def arrived() -> bool | None:
        text = await asyncio.to_thread(shop.system.stand_in, "sms", "/messages?to=%2B4930123456")
        push = await asyncio.to_thread(shop.system.stand_in, "push", f"/messages?to={customer.id}")
        said = [item["text"] for item in (*text["items"], *push["items"]) if number in item["text"]]
        return True if len(said) == 2 and all("votre commande" in one for one in said) else None

    await until(arrived, "the confirmation by SMS and push, in French")
    listed = (await shop.call("notifications", "GET", "/notifications", token=customer.token)).body["items"]
    ways = {item["channel"] for item in listed if item["template"] == "order-confirmation"}
    assert ways == {"sms", "push"}


async def test_a_campaign_reaches_its_people_once_and_its_link_ends_the_next(shop: Shop) -> None:
    readers = [await shop.register() for _ in range(3)]
    for reader in readers:
        await shop.wait_mail(reader.email, "erify")
    first = await campaign(shop, *(reader.id for reader in readers))
    assert first["total"] == 3
    seen = await done(shop, first["id"])
    assert (seen["sent"], seen["failed"], seen["skipped"]) == (3, 0, 0)
    mails = [await shop.wait_mail(reader.email, "Spring") for reader in readers]
    assert all("Everything new." in mail["html"] for mail in mails)
    link = mails[0]["html"].partition('href="')[2].partition('"')[0]
    # as a mail scanner does, and whoever only looks
    for _ in range(3):
        assert (await open_link(shop, "GET", link)).status == 200
    # as the button does, and a mail program's own
    assert (await open_link(shop, "POST", link, b"List-Unsubscribe=One-Click")).status == 200
    told = await shop.call("notifications", "GET", "/preferences", token=readers[0].token)
    assert told.body["categories"]["marketing"]["email"] is False
    second = await campaign(shop, *(reader.id for reader in readers), data={**NEWS, "subject": "Summer is here"})
    seen = await done(shop, second["id"])
    assert (seen["sent"], seen["skipped"]) == (2, 1)
    assert len(await asyncio.to_thread(shop.system.mailbox, readers[1].email)) == 3
    assert [m for m in await asyncio.to_thread(shop.system.mailbox, readers[0].email) if "Summer" in m["subject"]] == []


async def open_link(shop: Shop, method: str, link: str, body: bytes | None = None) -> Answer:
    token = parse_qs(urlsplit(link).query)["token"][0]
    form = {"content-type": "application/x-www-form-urlencoded"}
    return await shop.call("notifications", method, f"/unsubscribe?token={token}", body, headers=form)


async def test_looking_at_the_unsubscribe_page_changes_nothing(shop: Shop, customer: Customer) -> None:
    before = await shop.call("notifications", "GET", "/preferences", token=customer.token)
    sent = await campaign(shop, customer.id)
    await done(shop, sent["id"])
    mail = await shop.wait_mail(customer.email, "Spring")
    link = mail["html"].partition('href="')[2].partition('"')[0]
    for method in ("GET", "HEAD", "GET"):
        assert (await open_link(shop, method, link)).status in {200, 403, 405}
    page = await open_link(shop, "GET", link)
    assert page.headers["content-type"].startswith("text/html")
    assert '<form method="post">' in page.text
    after = await shop.call("notifications", "GET", "/preferences", token=customer.token)
    assert after.body == before.body
    assert (await open_link(shop, "POST", link.replace("token=", "token=x"))).status == 400


async def undelivered(shop: Shop, customer: Customer) -> dict[str, Any]:
    async def failed() -> dict[str, Any] | None:
        path = "/undelivered?channel=email&template=order-confirmation&limit=100"
        listed = (await ask(shop, "GET", path, role="support")).body["items"]
        return next((item for item in listed if item["user_id"] == customer.id), None)

    return await until(failed, "the confirmation to be undelivered")


async def test_what_did_not_arrive_is_listed_looked_at_and_sent_again(mailbox: Shop, sku: str) -> None:
    shop = mailbox
    customer = await shop.register()
    await shop.wait_mail(customer.email, "erify")
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "PUT", {"status": 554})
    number = (await shop.order(customer, sku)).body["number"]
    found = await undelivered(shop, customer)
    assert "554" in found["reason"]
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "DELETE")
    assert (await shop.call("notifications", "GET", "/undelivered", token=customer.token)).status == 403
    shown = await ask(shop, "GET", f"/undelivered/{found['id']}", role="support")
    assert shown.body["data"]["number"] == number
    assert (await ask(shop, "POST", f"/undelivered/{found['id']}/redeliver", role="support")).status == 202
    await shop.wait_mail(customer.email, number)
    gone = await ask(shop, "GET", f"/undelivered/{found['id']}", role="support")
    assert gone.slug == "undelivered-not-found"
    mails = await asyncio.to_thread(shop.system.mailbox, customer.email)
    assert len([mail for mail in mails if number in mail["subject"]]) == 1


async def test_what_nobody_needs_any_more_is_discarded(mailbox: Shop, sku: str) -> None:
    shop = mailbox
    customer = await shop.register()
    await shop.wait_mail(customer.email, "erify")
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "PUT", {"status": 554})
    await shop.order(customer, sku)
    found = await undelivered(shop, customer)
    assert (await ask(shop, "DELETE", f"/undelivered/{found['id']}", role="support")).status == 204
    gone = await ask(shop, "POST", f"/undelivered/{found['id']}/redeliver", role="support")
    assert gone.slug == "undelivered-not-found"


async def test_a_template_of_staff_serves_the_next_message_and_a_bad_one_never(shop: Shop) -> None:
    name = f"/templates/hello-{uuid4().hex[:8]}/email/en"
    mail = {"subject": "Hello {{ name }}", "html": "<p>{{ word }} {{ unsubscribe_url }}</p>", "text": "{{ word }}"}
    bad = await ask(shop, "PUT", name, {**mail, "html": "{% if %}"}, role="staff")
    assert bad.slug == "template-not-valid"
    kept = await ask(shop, "PUT", name, mail, role="staff")
    assert (kept.status, kept.headers["etag"]) == (200, '"1"')
    preview = await ask(shop, "POST", f"{name}/preview", {"data": {"word": "<hi>"}}, role="staff")
    assert "&lt;hi&gt;" in preview.body["html"]
    assert preview.body["text"] == "<hi>"
    refused = await ask(shop, "POST", f"{name}/preview", {"data": {}}, role="staff")
    assert (refused.slug, "word" in refused.body["detail"]) == ("template-data-mismatch", True)
    reader = await shop.register()
    sent = await campaign(shop, reader.id, template=name.split("/")[2], data={"word": "welcome"})
    await done(shop, sent["id"])
    assert (await shop.wait_mail(reader.email, "Hello"))["text"].strip() == "welcome"


async def test_a_signed_receipt_corrects_the_log_and_an_unsigned_one_does_not(shop: Shop, customer: Customer) -> None:
    sent = await campaign(shop, customer.id)
    await done(shop, sent["id"])
    listed = (await shop.call("notifications", "GET", "/notifications", token=customer.token)).body["items"]
    [news] = [item for item in listed if item["template"] == "announcement"]
    body = json.dumps({"events": [{"message_id": news["id"], "status": "bounced", "reason": "full"}]}).encode()
    stamp, key = str(int(time.time())), shop.system.secret("notifications-receipts-secret").removeprefix("whsec_")
    mac = hmac.digest(base64.b64decode(key), f"msg_1.{stamp}.".encode() + body, hashlib.sha256)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp}
    unsigned = await shop.call("notifications", "POST", "/receipts/any", body, headers=headers)
    assert unsigned.slug == "signature-not-valid"
    headers["webhook-signature"] = "v1," + base64.b64encode(mac).decode()
    assert (await shop.call("notifications", "POST", "/receipts/any", body, headers=headers)).status == 204
    listed = (await shop.call("notifications", "GET", "/notifications", token=customer.token)).body["items"]
    assert [item["status"] for item in listed if item["id"] == news["id"]] == ["failed"]
