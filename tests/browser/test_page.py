"""The page's content, and its use."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from stork_node.launcher.push_commands import PushCommands
from tests.browser.scripted_node import ORIGIN, ROOT, ScriptedNode

AXE = ROOT / "tests/js/node_modules/axe-core/axe.min.js"
WEB = ROOT / ".crossbar/web"


def subscribe(page: Page, topic: str) -> None:
    page.get_by_label("Subscribe to", exact=True).fill(topic)
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.locator(f"li[data-topic='{topic}'] .status")).to_have_text("live")


def test_the_state_and_who_one_is(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&authid=joe")
    expect(page.get_by_role("status").first).to_have_text("Connected")
    expect(page.locator("#authid")).to_have_text("joe")
    expect(page.locator("#session")).to_have_text("4203881774512093")
    assert scripted.foreign == []


@pytest.mark.parametrize(
    ("fragment", "ticket"),
    [("a+b/c==", "a+b/c=="), ("a%2Bb%20c%26d", "a+b c&d"), ("100%", "100%"), ("%F0%9F%90%A6", "🐦")],
)
def test_the_ticket_in_the_fragment_reaches_the_node_as_it_is(
    page: Page, scripted: ScriptedNode, fragment: str, ticket: str
) -> None:
    scripted.open(f"ticket={fragment}&authid=joe")
    expect(page.locator("#state")).to_have_text("Connected")
    assert scripted.tickets == [ticket]


def test_without_a_ticket_the_page_asks_for_one(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("")
    expect(page.get_by_label("Ticket", exact=True)).to_be_focused()
    page.get_by_role("button", name="Connect", exact=True).click()
    assert scripted.sockets == []
    page.get_by_label("Ticket", exact=True).fill("secret")
    page.get_by_label("User").fill("ann")
    page.keyboard.press("Enter")
    expect(page.locator("#authid")).to_have_text("ann")
    assert scripted.tickets == ["secret"]
    assert page.url == f"{ORIGIN}/#"


def test_another_fragment_is_another_user(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=one&authid=ann")
    expect(page.locator("#authid")).to_have_text("ann")
    scripted.open("ticket=two&authid=bob")
    expect(page.locator("#authid")).to_have_text("bob")
    assert scripted.tickets == ["one", "two"]
    scripted.open("")
    expect(page.get_by_label("Ticket", exact=True)).to_be_focused()
    expect(page.locator("#state")).to_have_text("Not connected")
    expect(page.locator("#identity")).to_be_hidden()


def test_a_push_is_shown_with_all_that_belongs_to_it(page: Page, scripted: ScriptedNode) -> None:
    scripted.open()
    subscribe(page, "v1.test.1")
    position = scripted.push("v1.test.1", "order_paid", {"id": 42, "lines": ["a", None, True]})
    event = page.locator(".events li")
    expect(event.locator(".type")).to_have_text("order_paid")
    expect(event.locator(".chip")).to_have_text("v1.test.1")
    expect(event.locator(".data")).to_have_text('{"id": 42, "lines": ["a", null, true]}')
    expect(event.locator(".position")).to_contain_text(position)
    expect(event.locator("time")).to_have_text("09:41:01.137")
    expect(event.locator("time")).to_have_attribute("datetime", "2026-11-23T09:41:01.137Z")
    expect(page.locator("#announce")).to_have_text("One new push")


def test_nested_data_is_laid_out_in_lines(page: Page, scripted: ScriptedNode) -> None:
    scripted.open()
    subscribe(page, "v1.test.1")
    data = {"order": {"id": 42, "total": "129.90", "currency": "EUR", "customer": "Ann"}, "lines": [{"sku": "A-17"}]}
    scripted.push("v1.test.1", "order", data)
    expect(page.locator(".data")).to_be_visible()
    shown = page.locator(".data").inner_text()
    assert json.loads(shown) == data
    assert shown.splitlines() == [
        "{",
        '  "order": {',
        '    "id": 42,',
        '    "total": "129.90",',
        '    "currency": "EUR",',
        '    "customer": "Ann"',
        "  },",
        '  "lines": [{"sku": "A-17"}]',
        "}",
    ]


def test_what_looks_like_html_is_shown_not_run(page: Page, scripted: ScriptedNode) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    scripted.open()
    subscribe(page, "v1.test.1")
    scripted.push("v1.test.1", evil, {evil: evil})
    expect(page.locator(".events .type")).to_have_text(evil)
    expect(page.locator(".events .data")).to_contain_text("onerror")
    expect(page.locator(".events img")).to_have_count(0)
    expect(page).to_have_title("Stork")


def test_strange_events_are_shown_too(page: Page, scripted: ScriptedNode) -> None:
    scripted.open()
    subscribe(page, "v1.test.1")
    for message in ([36, 1000, 1, {}], [36, 1000, 1, {}, ["text"], {}], [36, 1000, 1, {}, [{"timestamp": "noon"}]]):
        scripted.sockets[-1].send(json.dumps(message))
    expect(page.locator(".events .type")).to_have_text(["(no type)"] * 3)
    expect(page.locator(".events .data")).to_have_text(["undefined", '"text"', "undefined"])
    expect(page.locator(".events time").first).to_have_text("noon")


def test_the_list_keeps_the_last_200_pushes_in_order(page: Page, scripted: ScriptedNode) -> None:
    scripted.open()
    subscribe(page, "v1.test.1")
    for number in range(450):
        scripted.push("v1.test.1", f"t{number}", number)
    expect(page.locator("#count")).to_have_text("450, the last 200 below")
    assert page.locator(".events .type").all_inner_texts() == [f"t{number}" for number in range(449, 249, -1)]
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".events li")).to_have_count(0)
    expect(page.get_by_text("Nothing delivered yet")).to_be_visible()


def test_a_push_of_a_megabyte_is_cut_for_the_eye(page: Page, scripted: ScriptedNode) -> None:
    scripted.open()
    subscribe(page, "v1.test.1")
    scripted.push("v1.test.1", "large", "x" * 1_000_000)
    expect(page.locator(".data")).to_contain_text("1,000,002 characters in all")
    assert len(page.locator(".data").inner_text()) < 21_000


def test_several_topics_at_once_each_until_it_is_given_up(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&authid=joe")
    page.get_by_role("button", name="Subscribe to v1.user.joe").click()
    subscribe(page, "v1.test.1")
    expect(page.locator("#suggestions li")).to_have_count(0)
    scripted.push("v1.test.1", "one", None)
    scripted.push("v1.user.joe", "two", None)
    expect(page.locator(".events .type")).to_have_text(["two", "one"])
    page.get_by_role("button", name="Unsubscribe v1.test.1").click()
    expect(page.locator(".subscriptions li")).to_have_count(1)
    expect(page.get_by_role("button", name="Subscribe to v1.test.1")).to_be_visible()
    scripted.push("v1.test.1", "three", None)
    scripted.push("v1.user.joe", "four", None)
    expect(page.locator(".events .type")).to_have_text(["four", "two", "one"])


def test_the_command_is_for_the_topic_that_was_chosen(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&authid=joe")
    command = page.locator("#command-text")
    expect(command).to_have_text(""".venv/bin/stork push v1.test.1 --type hello --data '{"n": 1}'""")
    subscribe(page, "v1.test.2")
    subscribe(page, "v1.user.joe")
    expect(command).to_have_text(""".venv/bin/stork push v1.user.joe --type hello --data '{"n": 1}'""")
    page.locator("li[data-topic='v1.test.2'] .pick").click()
    expect(page.locator("li[data-topic='v1.test.2'] .pick")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("tab", name="PHP").click()
    expect(command).to_have_text("""php scripts/push.php v1.test.2 hello '{"n": 1}'""")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(command).to_have_text(""".venv/bin/python scripts/push.py v1.test.2 hello '{"n": 1}'""")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="stork")).to_have_attribute("aria-selected", "true")


def test_the_command_is_copied_in_one_line(page: Page, scripted: ScriptedNode) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ORIGIN)
    scripted.open()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == """.venv/bin/stork push v1.test.1 --type hello --data '{"n": 1}'"""


def test_the_commands_are_those_of_the_node(page: Page, scripted: ScriptedNode) -> None:
    assert scripted.facts
    here = PushCommands("docker exec 4f stork", in_container=True).to("tcp://[::1]:7557", encrypted=False)
    scripted.facts["commands"] = here.as_json()
    scripted.open()
    expect(page.locator("#command-text")).to_have_text(
        """docker exec 4f stork push v1.test.1 --type hello --data '{"n": 1}' '--endpoint=tcp://[::1]:7557'"""
    )
    expect(page.get_by_role("tab")).to_have_text(["stork"])
    expect(page.locator("#push-where")).to_have_text("Paste it into a terminal of the host that runs the container.")


@pytest.mark.parametrize("told", [True, False])
def test_of_another_application_the_page_proposes_nothing(page: Page, scripted: ScriptedNode, told: bool) -> None:
    assert scripted.facts
    scripted.facts = {**scripted.facts, "feeds": [], "procedures": [], "trial": False} if told else None
    scripted.refuse_join = "io.virge.stork.denied"
    scripted.open("")
    expect(page.get_by_label("Ticket", exact=True)).to_be_focused()
    expect(page.locator("#trial")).to_be_hidden()
    scripted.open("ticket=wrong")
    expect(page.locator("#notice-text")).to_have_text(
        "The application does not accept this ticket. Enter another ticket."
    )
    scripted.refuse_join = None
    scripted.open("ticket=good&authid=joe")
    expect(page.locator("#state")).to_have_text("Connected")
    expect(page.locator("#suggestions li")).to_have_count(0)
    expect(page.locator("#topic")).to_have_value("")
    expect(page.locator("#procedure")).to_have_value("")
    expect(page.locator("#push-title")).to_have_text("Push to a topic")
    expect(page.locator("#command-text")).to_contain_text("stork push VERSION.FEED.ID --type")
    subscribe(page, "v1.orders.42")
    expect(page.locator("#command-text")).to_contain_text("stork push v1.orders.42 --type")


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("v1.test.1", "Listening to v1.test.1. Push to it with the command on this page: the push appears here."),
        ("v1.user.eve", "v1.user.eve was refused, so nothing of it arrives here. Subscribe to another topic."),
        ("v1.slow.1", "Not listening to v1.slow.1 yet: the page is not connected, or has no answer."),
    ],
)
def test_the_page_listens_only_where_it_may(page: Page, scripted: ScriptedNode, topic: str, said: str) -> None:
    scripted.refuse_topics = {"v1.user.eve": "wamp.error.not_authorized", "v1.slow.1": "io.virge.stork.unavailable"}
    scripted.open(f"ticket=good&topic={topic}")
    expect(page.locator("#empty-text")).to_have_text(said)
    if said.startswith("Listening"):
        scripted.revoke(topic)
        expect(page.locator("#empty-text")).to_contain_text("has ended")
        page.get_by_role("button", name=f"Dismiss {topic}").click()
        expect(page.locator("#empty-text")).to_contain_text("Subscribe to a topic")


def test_on_a_phone_the_events_come_before_the_forms(page: Page, scripted: ScriptedNode) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    scripted.open()
    subscribe(page, "v1.test.1")
    scripted.push("v1.test.1", "hello", 1)
    expect(page.locator(".events .type")).to_have_text("hello")
    tops = [page.locator(each).bounding_box() for each in ("#events", "#subscribe", "#command", "#call")]
    assert tops == sorted(tops, key=lambda box: box["y"] if box else 0)
    for number in range(30):
        scripted.push("v1.test.1", "more", number)
    expect(page.locator(".events li")).to_have_count(31)
    feed = page.locator("#events").bounding_box()
    assert feed
    assert feed["height"] <= 0.75 * 740 + 1  # the form stays near
    assert_accessible(page)


def test_a_sign_says_where_something_arrived(page: Page, scripted: ScriptedNode) -> None:
    page.set_viewport_size({"width": 360, "height": 400})
    scripted.open("ticket=good&topic=v1.test.1&topic=v1.test.2")
    expect(page.locator(".subscriptions .status")).to_have_text(["live", "live"])
    scripted.push("v1.test.1", "seen", None)
    expect(page.locator(".pushes")).to_have_text(["1 push", ""])
    expect(page.locator("#news")).to_be_hidden()
    page.locator("#procedure").scroll_into_view_if_needed()
    expect(page.locator("#newest")).not_to_be_in_viewport()
    for number in range(2):
        scripted.push("v1.test.2", "unseen", number)
    expect(page.locator("#news")).to_have_text("↑ 2 new pushes")
    expect(page.locator(".pushes")).to_have_text(["1 push", "2 pushes"])
    page.locator("#news").click()
    expect(page.locator("#news")).to_be_hidden()
    expect(page.locator("#feed")).to_be_focused()
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    scripted.push("v1.test.2", "away", None)
    expect(page).to_have_title("(1) Stork")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Stork")


def test_a_call_shows_its_result(page: Page, scripted: ScriptedNode) -> None:
    scripted.results["virge.stork.example.foo"] = {"bar": "stork"}
    scripted.open()
    expect(page.locator("#state")).to_have_text("Connected")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#call-answer")).to_contain_text("Answered in")
    expect(page.locator("#call-answer pre")).to_have_text('{"bar": "stork"}')


# --- The page's own quality -------------------------------------------------------------------------------------------


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    html = (WEB / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for file in WEB.rglob("*.*"):
        if file.suffix in (".html", ".css", ".js", ".svg"):
            text = file.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
            assert not re.findall(r"https?://|//cdn|@import", text), file


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r'(?:src|href)="([^"#]+)"', (WEB / "index.html").read_text())
    named += re.findall(r"url\(([^)]+)\)", (WEB / "page.css").read_text())
    for file in WEB.glob("*.js"):
        named += re.findall(r'from "\./([^"]+)"', file.read_text())
    assert "page.js" in named
    missing = [name for name in named if not (WEB / name).is_file() and not (ROOT / "node/js" / name).is_file()]
    assert missing == []


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, page: Page) -> str:
    page.emulate_media(color_scheme=request.param)
    return str(request.param)


def fill(page: Page, scripted: ScriptedNode) -> None:
    """Bring up everything that the page can show while it is connected."""
    long = f"v1.user.{'x' * 120}"
    scripted.refuse_topics = {"v1.user.eve": "wamp.error.not_authorized", "v1.slow.1": "io.virge.stork.unavailable"}
    scripted.open(f"ticket=good&authid=joe&topic=v1.test.1&topic=v1.user.eve&topic=v1.slow.1&topic={long}")
    expect(page.locator(f"li[data-topic='{long}'] .status")).to_have_text("live")
    scripted.push("v1.test.1", "order_paid", {"id": 42, "text": "y" * 300, "lines": [[n] * 30 for n in range(20)]})
    scripted.push(long, "t" * 255, "no spaces" * 50)
    page.get_by_label("Procedure").fill("no.such")
    scripted.refuse_calls["no.such"] = "wamp.error.not_authorized"
    page.get_by_role("button", name="Call", exact=True).click()
    page.get_by_label("Subscribe to", exact=True).fill("nonsense")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.locator("#call-answer pre")).to_be_visible()
    expect(page.locator(".events li")).to_have_count(2)


def assert_accessible(page: Page) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.usefixtures("theme")
def test_axe_finds_nothing_to_complain_about_while_connected(page: Page, scripted: ScriptedNode) -> None:
    fill(page, scripted)
    assert_accessible(page)


@pytest.mark.usefixtures("theme")
@pytest.mark.parametrize("refusal", ["io.virge.stork.denied", 1013])
def test_axe_finds_nothing_to_complain_about_when_refused(
    page: Page, scripted: ScriptedNode, refusal: str | int
) -> None:
    scripted.refuse_join = refusal
    scripted.open()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("width", [320, 360, 600, 900])
def test_a_narrow_page_needs_no_sideways_scrolling(page: Page, scripted: ScriptedNode, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    fill(page, scripted)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_keyboard_is_enough(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("")
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Connected")
    page.locator("#topic").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    page.get_by_role("button", name="Unsubscribe v1.test.1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#topic")).to_be_focused()
    expect(page.locator(".subscriptions li")).to_have_count(0)
