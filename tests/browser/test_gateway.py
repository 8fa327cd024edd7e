"""The page against a real node, publish server and application: the shipped .crossbar/."""

import subprocess
import sys
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.gateway import ROOT


def open_page(page: Page, gateway: Any, *, ticket: str | None = None, authid: str = "joe", topic: str = "") -> None:
    fragment = f"ticket={ticket or gateway.ticket}&authid={authid}" + (f"&topic={topic}" if topic else "")
    page.goto(f"{gateway.page_url}#{fragment}")


def test_a_push_appears_in_the_page(page: Page, gateway: Any) -> None:
    open_page(page, gateway)
    expect(page.locator("#state")).to_have_text("Connected")
    expect(page.locator("#authid")).to_have_text("joe")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.locator("li[data-topic='v1.test.1'] .status")).to_have_text("live")
    position = gateway.push(["v1.test.1"], "order_paid", {"id": 42, "name": "Zoë"})
    event = page.locator(".events li")
    expect(event.locator(".type")).to_have_text("order_paid")
    expect(event.locator(".data")).to_have_text('{"id": 42, "name": "Zoë"}')
    expect(event.locator(".position")).to_contain_text(position)


@pytest.mark.parametrize("tab", ["stork", "PHP", "Python"])
def test_the_command_that_the_page_shows_pushes_to_it(page: Page, gateway: Any, tab: str) -> None:
    open_page(page, gateway, topic="v1.test.7")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    page.get_by_role("tab", name=tab, exact=True).click()
    command = page.locator("#command-text").inner_text()
    assert f"--endpoint={gateway.endpoint}" in command
    pushed = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    expect(page.locator(".events .position")).to_contain_text(pushed.stdout.strip())


def test_pushes_appear_in_order_and_once(page: Page, gateway: Any) -> None:
    open_page(page, gateway, topic="v1.test.many")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    for number in range(150):
        gateway.push(["v1.test.many"], f"t{number}", number)
    expect(page.locator("#count")).to_have_text("150")
    assert page.locator(".events .type").all_inner_texts() == [f"t{number}" for number in range(149, -1, -1)]


def test_pushes_of_both_scripts_appear_in_the_page(page: Page, gateway: Any) -> None:
    open_page(page, gateway, topic="v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    for number, command in enumerate((["php", "scripts/push.php"], [sys.executable, "scripts/push.py"]), 1):
        arguments = [f"--endpoint={gateway.endpoint}", "v1.test.1", "hello", f'{{"n": {number}}}']
        pushed = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
        event = page.locator(".events li").first
        expect(event.locator(".data")).to_have_text(f'{{"n": {number}}}')
        expect(event.locator(".position")).to_contain_text(pushed.stdout.strip())


def test_the_page_works_below_a_path(page: Page, gateway: Any) -> None:
    page.goto(f"{gateway.page_url}below/#ticket={gateway.ticket}&authid=joe&topic=v1.user.joe")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    gateway.push(["v1.user.joe"], "below", None)
    expect(page.locator(".events .type")).to_have_text("below")


@pytest.mark.parametrize(
    ("path", "policy", "own"),
    [("", "frame-ancestors 'none'", None), ("below/", None, "1"), ("below/stork.js", None, "1")],
)
def test_the_headers_of_a_page_are_a_setting(gateway: Any, path: str, policy: str | None, own: str | None) -> None:
    with urlopen(f"{gateway.page_url}{path}") as answer:
        assert (answer.headers["content-security-policy"], answer.headers["x-own"]) == (policy, own)
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_wrong_ticket_is_refused_in_words(page: Page, gateway: Any) -> None:
    open_page(page, gateway, ticket="wrong")
    expect(page.get_by_role("alert")).to_contain_text("This ticket was refused")
    expect(page.locator("#notice-code")).to_contain_text("io.virge.stork.denied")


def test_another_users_topic_is_refused_and_ones_own_is_not(page: Page, gateway: Any) -> None:
    open_page(page, gateway, authid="joe", topic="v1.user.ann")
    expect(page.locator("li[data-topic='v1.user.ann'] .why")).to_contain_text("joe may not see this topic")
    page.get_by_role("button", name="Subscribe to v1.user.joe").click()
    expect(page.locator("li[data-topic='v1.user.joe'] .status")).to_have_text("live")
    gateway.push(["v1.user.ann"], "not yours", None)
    gateway.push(["v1.user.joe"], "yours", None)
    expect(page.locator(".events .type")).to_have_text("yours")


def test_an_undeclared_feed_is_refused(page: Page, gateway: Any) -> None:
    open_page(page, gateway, topic="v1.nosuch.1")
    expect(page.locator(".subscriptions .status")).to_have_text("refused")


def test_the_example_method_answers(page: Page, gateway: Any) -> None:
    open_page(page, gateway)
    expect(page.locator("#state")).to_have_text("Connected")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#call-answer pre")).to_have_text('{"bar": "stork"}')
    page.get_by_label("Procedure").fill("io.virge.stork.auth")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#call-answer")).to_contain_text("Browsers may not call this procedure")


def test_the_module_and_the_types_are_served_beside_the_script(gateway: Any) -> None:
    for name, begins in (("stork.js", b"/*! stork.js"), ("stork.mjs", b"// stork.js"), ("stork.d.ts", b"/** Pushes")):
        with urlopen(f"{gateway.page_url}{name}") as answer:
            assert answer.read().startswith(begins)


def test_an_application_imports_the_module_from_the_node(page: Page, gateway: Any) -> None:
    page.goto(gateway.page_url)
    got = page.evaluate(
        """([ticket]) => import("/stork.mjs").then(({ connect }) => new Promise((resolve) => {
            const stork = connect({ ticket: async () => ticket, authid: "ann" });
            stork.subscribe("v1.user.ann", (push, position, topic) => resolve([push.type, push.data, topic]), {
                onstate: async ({ state }) => {
                    if (state === "subscribed") document.title = "subscribed";
                },
            });
            window.pushed = new Promise((done) => stork.on("state", ({ state }) => state === "open" && done(state)));
            resolve("asked");
        }))""",
        [gateway.ticket],
    )
    assert got == "asked"
    expect(page).to_have_title("subscribed")
