"""The pages of README and book that use stork.js, in a browser, as they stand but for their topic and procedure."""

from contextlib import nullcontext
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.book import block
from tests.gateway import Deployment

# What the shipped application has in place of that of the book.
SHIPPED = {"v1.orders.42": "v1.test.1", "io.example.greet": "virge.stork.example.foo", "result.hello": "result.bar"}


@pytest.mark.parametrize("name", ["page.html", "stork.js"])
def test_the_page_prints_what_is_pushed(browser: Browser, shipped: Deployment, gateway: Any, name: str) -> None:
    text = block(name)
    for stands, here in SHIPPED.items():
        text = text.replace(stands, here)
    # As a user's page in web/: the node's headers allow its inline script.
    web = shipped.nodes[0].folder / "web"
    (web / "shop.html").write_text(text)
    (web / "my-ticket").write_text(gateway.ticket)
    page = browser.new_context().new_page()
    with page.expect_console_message(lambda message: message.text == "Ann") if "client.call" in text else nullcontext():
        page.goto(f"{gateway.page_url}shop.html")
    wait_until_subscribed(page)
    with page.expect_console_message(lambda message: message.text.startswith("order_paid")):
        gateway.push(["v1.test.1"], "order_paid", {"id": 42})
    page.context.close()


def wait_until_subscribed(page: Page) -> None:
    """The short page does not say so; another subscription of its client, which comes after it, does."""
    page.evaluate("client.subscribe('v1.test.2', () => {}, { onstate: (s) => { window.last = s.state } })")
    page.wait_for_function("window.last === 'subscribed'")
