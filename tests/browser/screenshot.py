"""
Draws the page's screenshot anew, from a real node: ``python -m tests.browser.screenshot``.

Needs Chromium. The picture is ``node/docs/page.png``, in a palette of 64 colours to keep it small.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET
from tests.gateway import ROOT, TICKET, Deployment

PICTURE = ROOT / "node/docs/page.png"
PUSHES = [
    ("hello", {"n": 1}),
    ("order_paid", {"id": 42, "total": "19.90", "currency": "EUR"}),
    ("order_shipped", {"id": 42, "parcel": "JD014600"}),
]


def draw(page: Page, deployment: Deployment) -> None:
    page.goto(f"{deployment.nodes[0].page_url}#ticket={TICKET}&authid=ann&topic=v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    with deployment.publisher() as publisher:
        for type_, data in PUSHES:
            publisher.push("v1.test.1", type=type_, data=data)
    expect(page.locator("#count")).to_have_text(str(len(PUSHES)))
    page.mouse.move(0, 0)
    taken = Image.open(io.BytesIO(page.screenshot()))
    taken.convert("RGB").quantize(64).save(PICTURE, optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder)) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            context = browser.new_context(viewport={"width": 1000, "height": 600}, reduced_motion="reduce")
            draw(context.new_page(), deployment)
            browser.close()


if __name__ == "__main__":
    main()
