"""Mails and pages as a browser shows them: in a narrow window, by day and by night."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

from apps.notifications.catalogue import Catalogue
from apps.notifications.shipped import shipped
from tests.e2e.test_messages import campaign
from tests.support.browser import browser
from tests.support.campaigns import done
from tests.support.shop import Customer, Shop

PHONE = 320
MAILS = sorted((name, language) for name, channel, language in shipped() if channel == "email")
LONG = "A-" + "1234567890" * 6
EUR = {"amount": 199_900, "currency": "EUR"}
NOON = "2026-03-31T23:30:00Z"
LINES = [{"sku": "t", "name": "Tea-from-the-highlands " * 4, "quantity": 12, "unit_price": EUR}]
# every variable that any template asks for
DATA: dict[str, Any] = {
    **dict.fromkeys(("paid_at", "changed_at", "cancelled_at", "expired_at", "shipped_at", "delivered_at"), NOON),
    **dict.fromkeys(("returned_at", "declined_at", "refunded_at", "expires_at", "happened_at"), NOON),
    **dict.fromkeys(("total", "amount", "refund"), EUR),
    "refunded": {"amount": 400_000, "currency": "EUR"},
    "captured": EUR,
    "lines": LINES,
    "items": [{"subject": f"Your order {LONG} is on its way", "text": f"DHL {LONG}"}, {"subject": "Paid", "text": ""}],
    "name": "Ann",
    "number": LONG,
    "order_number": LONG,
    "order_id": "x",
    "reason": "changed my mind",
    "decline_code": "expired_card",
    "carrier": "DHL",
    "tracking_number": LONG,
    "complete": False,
    "email": "someone-with-a-very-long-address@a-department.of-a-company.example",
    "token": "t0k3n" * 20,
    "purpose": "registration",
    "kind": "password_changed",
    "subject": "Spring is here",
    "text": "Everything new.",
    "unsubscribe_url": "https://shop.example/unsubscribe?token=x",
}
# WCAG's contrast of an element's words with what lies behind them
CONTRAST = """
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor
  if (!c.endsWith(', 0)')) return c } return 'rgb(255, 255, 255)' }
return [...document.querySelectorAll('p, h1, td, a, strong, button')].filter(e => e.textContent.trim()).map(e => {
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x)
  return (a + 0.05) / (b + 0.05) })
"""
WIDTH = "return Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


@pytest.fixture(scope="module", params=[False, True], ids=["light", "dark"])
def phone(request: pytest.FixtureRequest) -> Iterator[Chrome]:
    with browser(PHONE, dark=request.param) as opened:
        yield opened


@pytest.mark.parametrize(("name", "language"), MAILS)
def test_a_mail_reads_well_on_a_narrow_screen(phone: Chrome, tmp_path: Path, name: str, language: str) -> None:
    mail = Catalogue().render(name, "email", language, "Europe/Berlin", DATA)
    page = tmp_path / "mail.html"
    page.write_text(mail.html, encoding="utf-8")
    phone.get(page.as_uri())
    assert " ".join(phone.title.split()) == " ".join(mail.subject.split())
    assert phone.execute_script(WIDTH) <= PHONE
    assert min(phone.execute_script(CONTRAST)) >= 4.5


async def test_the_unsubscribe_page_acts_when_its_button_is_pressed_and_not_before(
    shop: Shop, customer: Customer, phone: Chrome
) -> None:
    sent = await campaign(shop, customer.id)
    await done(shop, sent["id"])
    mail = await shop.wait_mail(customer.email, "Spring")
    token = parse_qs(urlsplit(mail["html"].partition('href="')[2].partition('"')[0]).query)["token"][0]

    async def declined() -> bool:
        told = await shop.call("notifications", "GET", "/preferences", token=customer.token)
        return not told.body["categories"]["marketing"]["email"]

    phone.get(shop.system.invoke_url("notifications", f"/unsubscribe?token={token}"))
    assert phone.execute_script(WIDTH) <= PHONE
    assert min(phone.execute_script(CONTRAST)) >= 4.5
    assert not await declined()
    phone.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(phone, 90, ignored_exceptions=[WebDriverException]).until(
        text_to_be_present_in_element((By.TAG_NAME, "h1"), "unsubscribed")
    )
    assert await declined()
