"""The pages of README and book that use stork.js, in a browser, as they stand but for their topic and procedure."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.book import block


@pytest.mark.parametrize("name", ["page.html", "stork.js"])
def test_the_page_prints_what_is_pushed(page: Page, gateway: Any, name: str) -> None:
    text = block(name).replace("v1.orders.42", "v1.test.1").replace("io.example.greet", "virge.stork.example.foo")
    text = text.replace("result.hello", "result.bar")
    address = f"{gateway.page_url}shop.html"
    page.route(address, lambda route: route.fulfill(body=text, content_type="text/html"))
    page.route("**/my-ticket", lambda route: route.fulfill(body=gateway.ticket))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    page.wait_for_function("client.state === 'open'")
    with page.expect_console_message(lambda message: message.text.startswith("order_paid")):
        push_until_subscribed(page, gateway)
    if "client.call" in text:
        assert "Ann" in said


def push_until_subscribed(page: Page, gateway: Any) -> None:
    """The short page does not say when it is subscribed; its client does."""
    page.evaluate("client.subscribe('v1.test.1', () => {}, { onstate: (s) => { window.subscribed = s.state } })")
    page.wait_for_function("window.subscribed === 'subscribed'")
    gateway.push(["v1.test.1"], "order_paid", {"id": 42})
