"""The status page of the operator's port, in a real browser, with two real nodes."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_page import assert_accessible
from tests.gateway import API_KEY, Deployment, wait_for
from tests.wamp import GOODBYE, Client, Closed

USER = "status-ann"


@pytest.fixture
def address(shipped: Deployment) -> str:
    return f"http://127.0.0.1:{shipped.operator_ports[shipped.nodes[0].port]}"


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, page: Page) -> str:
    page.emulate_media(color_scheme=request.param)
    return str(request.param)


@pytest.fixture
def ann(shipped: Deployment) -> Iterator[Client]:
    with shipped.nodes[1].join(authid=USER) as client:
        client.subscribe("v1.test.status")
        settle(shipped)
        yield client


def settle(shipped: Deployment) -> None:
    """Wait until commands bind the sessions that have just joined: each node has an answer to a lease after them."""
    url = f"http://127.0.0.1:{shipped.operator_ports[shipped.nodes[0].port]}/api/nodes"
    request = Request(url, headers={"X-API-Key": API_KEY})

    def is_said(number: int) -> bool:
        with urlopen(request) as answer:
            positions = [int(node["position"].partition(":")[2]) for node in json.load(answer)["nodes"]]
        return min(positions) >= number

    with shipped.publisher() as publisher:
        for _ in range(2):
            pushed = int(publisher.push("v1.test.settle", type="t", store=False).partition(":")[2])
            wait_for(partial(is_said, pushed), "the next lease")


def open_page(page: Page, address: str) -> None:
    page.goto(f"{address}/status")
    expect(page.locator("#health")).to_have_text("ready")


def use_key(page: Page) -> None:
    page.get_by_label("API key").fill(API_KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#nodes tr")).to_have_count(2)


def search(page: Page, user: str) -> None:
    page.get_by_label("User (authid)").fill(user)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#found-summary")).to_contain_text(f"{user}: ")


def test_without_a_key_it_shows_this_node(page: Page, address: str, shipped: Deployment) -> None:
    open_page(page, address)
    expect(page.locator("#plots li")).to_have_count(6)
    # Two looks make a rate.
    expect(page.locator("#plots li", has_text="Pushes a second").locator("path")).to_have_attribute(
        "d", re.compile("^M")
    )
    with shipped.nodes[1].join(authid=USER) as client:
        client.subscribe("v1.room.status")
        expect(page.locator("#online tr", has_text="v1.room").locator(".number")).to_have_text(
            re.compile("^[1-9]"), timeout=20_000
        )
    expect(page.locator("#with-key")).to_be_hidden()


@pytest.mark.complains("401")
def test_a_wrong_key_is_refused_in_words(page: Page, address: str, shipped: Deployment) -> None:
    open_page(page, address)
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#key-answer")).to_contain_text("send a key of this deployment")
    expect(page.locator("#with-key")).to_be_hidden()


def test_the_key_is_kept_in_memory_only(page: Page, address: str) -> None:
    open_page(page, address)
    use_key(page)
    expect(page.get_by_label("API key")).to_have_value("")
    kept = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
    assert kept == [0, 0, "", f"{address}/status"]
    page.reload()
    expect(page.locator("#with-key")).to_be_hidden()


def test_topics_and_refusals_appear(page: Page, address: str, shipped: Deployment, ann: Client) -> None:
    with shipped.publisher() as publisher:
        for number in range(3):
            publisher.push("v1.test.status", type="t", data=number)
    with shipped.nodes[0].connect() as stranger, pytest.raises(Exception, match="denied"):
        stranger.join("wrong")
    open_page(page, address)
    use_key(page)
    row = page.locator("#topics tr", has_text="v1.test.status")
    expect(row.locator("td").nth(2)).to_have_text("1")
    assert int(row.locator("td").nth(1).inner_text()) >= 3
    expect(page.locator("#refusals tr", has_text="denied")).to_contain_text("joins")


def test_a_user_on_another_node_is_disconnected(page: Page, address: str, ann: Client) -> None:
    open_page(page, address)
    use_key(page)
    search(page, USER)
    expect(page.locator("#sessions tr")).to_contain_text(str(ann.session_id))
    expect(page.locator("#sessions tr")).to_contain_text("v1.test.status")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#command-answer")).to_have_text(re.compile("disconnect: 1 session"))
    expect(page.locator("#sessions")).to_contain_text("No session of this user is here.")
    assert ann.receive()[0] == GOODBYE


def test_a_user_is_refreshed(page: Page, address: str, ann: Client) -> None:
    open_page(page, address)
    use_key(page)
    search(page, USER)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#command-answer")).to_have_text(re.compile("refresh: 1 session"))
    with pytest.raises(Closed) as closed:
        ann.receive_all()
    assert closed.value.code == 4001


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    page: Page, address: str, theme: str, width: int, shipped: Deployment, ann: Client
) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    with shipped.publisher() as publisher:
        publisher.push(["v1.test.status", f"v1.test.{'x' * 200}"], type="t")
    open_page(page, address)
    use_key(page)
    expect(page.locator("#topics")).to_contain_text("v1.test.xxx")
    search(page, USER)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_may_load_nothing_from_elsewhere(page: Page, address: str) -> None:
    answer: Any = page.goto(f"{address}/status")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert page.request.get(f"{address}/status/nothing.js").status == 404
    assert page.request.get(f"{address}/status/../status.py").status == 404
