import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from stork_node import Publisher
from tests.browser.scripted_node import ScriptedNode
from tests.gateway import TICKET, Deployment

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 30_000
expect.set_options(timeout=DEADLINE_MS)


# Not for the whole session: Playwright keeps an asyncio loop running in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """
    A tab of its own; the test fails where the page's scripts raise, or the browser complains of anything.

    Set ``STORK_SCREENSHOTS`` to a folder to look at how each test left the page.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce", timezone_id="UTC")
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(_complaint(message)))
    expected = [text for marker in request.node.iter_markers("complains") for text in marker.args]
    yield page
    if folder := os.environ.get("STORK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{request.node.name}.png", full_page=True)
    context.close()
    assert [each for each in complaints if not any(text in each for text in expected)] == []


def _complaint(message: ConsoleMessage) -> list[str]:
    # A socket that cannot be opened, or is closed while it opens, is what some tests are about.
    if message.type not in ("error", "warning") or "WebSocket" in message.text:
        return []
    return [message.text]


@pytest.fixture
def scripted(page: Page) -> ScriptedNode:
    return ScriptedNode(page)


@dataclass(frozen=True)
class Gateway:
    """A real node and its publish server."""

    page_url: str
    ticket: str
    endpoint: str
    publisher: Publisher

    def push(self, topics: list[str], type_: str, data: Any) -> str | None:
        return self.publisher.push(topics, type=type_, data=data)


@pytest.fixture(scope="session")
def gateway(shipped: Deployment) -> Iterator[Gateway]:
    with shipped.publisher() as publisher:
        yield Gateway(shipped.nodes[0].page_url, TICKET, shipped.router, publisher)
