"""Each refusal and ending by its case, in words (docs/architecture.md#refusals-and-endings)."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted_node import ScriptedNode

FINAL = {
    "io.virge.stork.denied": "This ticket was refused",
    "io.virge.stork.expired": "This ticket has expired",
    "wamp.error.no_such_realm": "The node did not let you in",
}
COMES_BACK = {
    1012: "This node is restarting",
    1013: "The application is not answering",
    4001: "This session's time is over",
    4010: "The stream was interrupted",
    4999: "The connection was lost",
}


@pytest.mark.parametrize(("uri", "words"), FINAL.items())
def test_an_abort_is_said_in_words_and_asks_for_another_ticket(
    page: Page, scripted: ScriptedNode, uri: str, words: str
) -> None:
    scripted.refuse_join = uri
    scripted.open("ticket=wrong&authid=joe")
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator("#notice-code")).to_have_text(f"{uri} · the node's own words")
    expect(page.locator("#state")).to_have_text("Not connected")
    expect(page.get_by_label("Ticket", exact=True)).to_be_focused()
    scripted.refuse_join = None
    page.get_by_label("Ticket", exact=True).fill("better")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Connected")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#authid")).to_have_text("joe")
    assert scripted.tickets == ["wrong", "better"]


@pytest.mark.parametrize(("code", "words"), COMES_BACK.items())
def test_a_lost_connection_is_said_in_words_and_comes_back(
    page: Page, scripted: ScriptedNode, code: int, words: str
) -> None:
    scripted.open("ticket=good&topic=v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    scripted.push("v1.test.1", "before", None)
    expect(page.locator(".events .type")).to_have_text("before")
    page.clock.install()
    page.clock.pause_at("2030-01-01T00:00:00Z")
    scripted.close(code)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator("#state")).to_have_text("Waiting to reconnect")
    expect(page.locator("#countdown")).to_contain_text("Next try in 1 s")
    expect(page.locator(".subscriptions .status")).to_have_text("waiting")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#state")).to_have_text("Connected")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    scripted.push("v1.test.1", "after", None)
    page.clock.resume()
    expect(page.locator(".events .type")).to_have_text(["after", "before"])
    expect(page.locator(".gap")).to_contain_text("Pushes to v1.test.1")


def test_an_application_that_does_not_answer_is_no_refusal(page: Page, scripted: ScriptedNode) -> None:
    scripted.refuse_join = 1013
    scripted.open()
    expect(page.get_by_role("alert")).to_contain_text("The ticket is not refused")
    expect(page.locator("#gate")).to_be_hidden()
    scripted.refuse_join = None
    expect(page.locator("#state")).to_have_text("Connected")


def test_a_node_that_is_not_there_is_said_in_words(page: Page, scripted: ScriptedNode) -> None:
    scripted.refuse_join = 4999
    scripted.open()
    expect(page.get_by_role("alert")).to_contain_text("No node answers at ws://localhost:9/ws")
    expect(page.locator("#notice-wait")).to_be_visible()


def test_a_logout_is_final(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&topic=v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    scripted.push("v1.test.1", "hello", 1)
    expect(page.locator(".events .type")).to_have_text("hello")
    scripted.goodbye("io.virge.stork.disconnected")
    expect(page.get_by_role("alert")).to_contain_text("You were logged out")
    expect(page.locator(".subscriptions .status")).to_have_text("ended")
    expect(page.locator(".events .type")).to_have_text("hello")
    assert len(scripted.sockets) == 1


def test_leaving_and_coming_back_takes_the_topics_along(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&topic=v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("alert")).to_contain_text("You disconnected")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    scripted.push("v1.test.1", "hello", 1)
    expect(page.locator(".events .type")).to_have_text("hello")


def test_a_refused_subscription_is_shown_and_can_be_tried_again(page: Page, scripted: ScriptedNode) -> None:
    scripted.refuse_topics["v1.user.eve"] = "wamp.error.not_authorized"
    scripted.open("ticket=good&authid=joe&topic=v1.user.eve")
    row = page.locator("li[data-topic='v1.user.eve']")
    expect(row.locator(".status")).to_have_text("refused")
    expect(row.locator(".why")).to_contain_text("joe may not see this topic")
    del scripted.refuse_topics["v1.user.eve"]
    page.get_by_label("Subscribe to", exact=True).fill("v1.user.eve")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(row.locator(".status")).to_have_text("live")
    expect(page.locator(".subscriptions li")).to_have_count(1)


@pytest.mark.parametrize("uri", ["io.virge.stork.unavailable", "wamp.error.authorization_failed"])
def test_a_subscription_that_nobody_can_decide_is_asked_again(page: Page, scripted: ScriptedNode, uri: str) -> None:
    scripted.refuse_topics["v1.test.1"] = uri
    scripted.open("ticket=good&topic=v1.test.1")
    expect(page.locator(".why")).to_contain_text("The topic is not refused")
    scripted.refuse_topics.clear()
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    expect(page.locator(".why")).to_be_hidden()


def test_a_subscription_that_is_taken_back_says_so(page: Page, scripted: ScriptedNode) -> None:
    scripted.open("ticket=good&topic=v1.test.1")
    expect(page.locator(".subscriptions .status")).to_have_text("live")
    scripted.revoke("v1.test.1")
    expect(page.locator(".why")).to_have_text("The backend ended this subscription.")


@pytest.mark.parametrize("text", ["", "hello", "v1.test", "v1.test.", "v1.te st.1", "v1.test.1.2", "v1.test.ä"])
def test_what_is_not_a_topic_is_said_before_the_node_is_asked(page: Page, scripted: ScriptedNode, text: str) -> None:
    scripted.open()
    expect(page.locator("#state")).to_have_text("Connected")
    page.get_by_label("Subscribe to", exact=True).fill(text)
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.locator("#topic-hint")).to_contain_text("Not a topic")
    expect(page.get_by_label("Subscribe to", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".subscriptions li")).to_have_count(0)
    page.get_by_label("Subscribe to", exact=True).fill("v1.test.1")
    expect(page.get_by_label("Subscribe to", exact=True)).to_have_attribute("aria-invalid", "false")


CALLS = {
    "wamp.error.not_authorized": "Browsers may not call this procedure",
    "wamp.error.no_such_procedure": "This procedure does not exist",
    "wamp.error.invalid_argument": "does not take these arguments",
    "io.virge.stork.unavailable": "does not answer in time",
    "io.example.error.limit": "answered with an error",
}


@pytest.mark.parametrize(("uri", "words"), CALLS.items())
def test_a_call_that_fails_is_said_in_words_with_its_uri(
    page: Page, scripted: ScriptedNode, uri: str, words: str
) -> None:
    scripted.refuse_calls["virge.stork.example.foo"] = uri
    scripted.open()
    expect(page.locator("#state")).to_have_text("Connected")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#call-answer")).to_contain_text(words)
    expect(page.locator("#call-answer pre")).to_have_text(uri)


@pytest.mark.parametrize("arguments", ["{", "[1]", "7", "null", '{"a": 1,}'])
def test_arguments_that_are_no_object_are_not_sent(page: Page, scripted: ScriptedNode, arguments: str) -> None:
    scripted.open()
    expect(page.locator("#state")).to_have_text("Connected")
    page.get_by_label("Arguments").fill(arguments)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#call-answer")).to_have_text("The arguments are not a JSON object.")
