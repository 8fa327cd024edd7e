"""Tokens, ``http`` and ``feeds`` of config.json on one node, with a web application that answers and fails."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.gateway import Deployment, Node, wait_for
from tests.tokens import SECRET, SigningKey, jwks, sign
from tests.wamp import Aborted, Closed, Refused
from tests.web_application import FAULTS, WebApplication
from tests.web_application import SECRET as ROUTE_SECRET

APP = """
from stork_node import Deny, Principal, Stork

stork = Stork()
stork.feed("v1", "open", patterns=["prefix"])


@stork.authenticator
def check(request):
    return Principal("from-python")


@stork.verifier("members")
def members(session, topic):
    return topic.feed_id in session.private.get("groups", [])


@stork.rpc("test.whoami", allow=True)
def whoami(call):
    return {"authid": call.session.authid, "private": call.session.private}
"""

RSA, EC = SigningKey("RS256"), SigningKey("ES256", "e1")


@pytest.fixture(scope="module")
def web() -> Iterator[WebApplication]:
    with WebApplication() as application:
        application.key_set = jwks(EC)
        yield application


@pytest.fixture(scope="module")
def deployment(web: WebApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("no-python")

    def change(config: dict[str, Any]) -> None:
        (folder / "node" / "public.pem").write_text(RSA.pem)
        config["workers"][0]["components"][0]["extra"] |= {"application_timeout_s": 2.0, "starting_timeout_s": 5.0}
        config["workers"][1]["components"][0]["extra"] |= {
            "jwt": {
                "keys": [
                    {"key": "${STORK_JWT_KEY:-}"},
                    {"key_file": "public.pem"},
                    {"jwks_url": f"{web.url}/jwks"},
                ],
                "audience": ["stork"],
                "claims": {"topics": "channels"},
            },
            "http": {
                "connect": f"{web.url}/connect",
                "subscribe": f"{web.url}/subscribe",
                "secret": "${ROUTE_SECRET}",
                "timeout_s": 0.5,
                "forward_headers": ["X-Trace", "Cookie"],
            },
            "feeds": {
                "v1.user": {"verify": "own"},
                "v1.news": {"verify": "all", "patterns": ["prefix"]},
                "v1.claimed": {"verify": "claim", "patterns": ["prefix"]},
                "v1.order": {"verify": "http"},
                "v1.group": {"verify": "members"},
            },
        }

    environ = {"STORK_JWT_KEY": SECRET, "ROUTE_SECRET": ROUTE_SECRET}
    with Deployment(folder, app=APP, change=change, environ=environ) as whole:
        whole.start_publish_server()
        whole.start_node()
        yield whole


@pytest.fixture
def node(deployment: Deployment) -> Iterator[Node]:
    """The shared node; after each test it serves the next client."""
    [node] = deployment.nodes
    yield node
    with node.join(sign(aud="stork")) as client:
        assert client.welcome["authid"] == "ann"


def refusal(node: Node, ticket: str) -> str:
    with node.connect() as client, pytest.raises(Aborted) as refused:
        client.join(ticket)
    return refused.value.uri


def is_refused(client: Any, topic: str, match: str | None = None) -> bool:
    with pytest.raises(Refused) as refused:
        client.subscribe(topic, match)
    return refused.value.uri == "wamp.error.not_authorized"


def test_the_log_says_what_came_in_place_of_an_answer(node):
    """Comes first: of the lines of one kind, the log shows five, and counts the others."""
    for ticket in ("redirect", "csrf", "huge", "slow"):
        with node.connect() as client, suppress(Closed):
            client.join(ticket)
    node.wait_for_line("http.connect: 302 to /login: use a route without session and CSRF")
    for sentence in ("419: use a route", "no answer within 0.5 s", "an answer of more than 65536 bytes"):
        wait_for(lambda sentence=sentence: sentence in node.log, sentence)
    assert "Traceback" not in node.log


def test_tokens_of_each_kind_of_key_let_in(node):
    for token in (sign(aud="stork"), RSA.sign(aud=["stork"]), EC.sign(aud="stork")):
        with node.join(token, "somebody") as client:
            assert (client.welcome["authid"], client.welcome["authrole"]) == ("ann", "frontend")


def test_tokens_that_are_wrong_are_refused_and_expired_ones_told_apart(node):
    assert refusal(node, sign()) == "io.virge.stork.denied"
    assert refusal(node, sign("x" * 32, aud="stork")) == "io.virge.stork.denied"
    assert refusal(node, sign(aud="stork", nbf=time.time() + 60)) == "io.virge.stork.denied"
    assert refusal(node, sign(aud="stork", exp=time.time() - 40)) == "io.virge.stork.expired"
    node.wait_for_line("denied: the token's aud is missing, want 'stork'")


def test_a_large_token_lets_in(node):
    with node.join(sign(aud="stork", channels=[f"v1.large.{n}" for n in range(500)])) as client:
        client.subscribe("v1.large.499")


def test_the_end_of_a_token_is_the_end_of_its_session(node):
    with node.join(sign(aud="stork", exp=int(time.time()) + 2)) as client:
        with pytest.raises(Closed) as closed:
            client.receive()
        assert closed.value.code == 4001


def test_a_token_permits_its_topics_and_patterns_where_the_feed_has_them(node):
    channels = ["v1.orders.42", "v1.any.*", "v1.claimed.*", "v1.open.*"]
    with node.join(sign(aud="stork", channels=channels)) as client:
        for topic in ("v1.orders.42", "v1.any.thing", "v1.claimed.1", "v1.open.1"):
            client.subscribe(topic)
        client.subscribe("v1.claimed.", "prefix")
        client.subscribe("v1.open.4", "prefix")
        assert is_refused(client, "v1.orders.43")
        assert is_refused(client, "v1.any.", "prefix")
        assert is_refused(client, "v1.claimed.", "wildcard")
        assert is_refused(client, "v1.", "prefix")
    with node.join(sign(aud="stork", channels=["v1.claimed.1"])) as client:
        client.subscribe("v1.claimed.1")
        assert is_refused(client, "v1.claimed.2")
        assert is_refused(client, "v1.claimed.", "prefix")
        assert is_refused(client, "v1.claimed.1", "prefix")


def test_feeds_of_the_configuration(node):
    with node.join(sign(aud="stork", groups=["7"])) as client:
        client.subscribe("v1.user.ann")
        assert is_refused(client, "v1.user.bob")
        client.subscribe("v1.news.1")
        client.subscribe("v1.news.", "prefix")
        assert is_refused(client, "v1.news.", "wildcard")
        client.subscribe("v1.group.7")
        assert is_refused(client, "v1.group.8")
        client.subscribe("v1.open.1")
        assert client.call("test.whoami") == {"authid": "ann", "private": {"groups": ["7"]}}


def test_a_key_that_is_not_known_is_looked_for_once(node, web):
    new = SigningKey("ES256", "e2")
    fetched = web.count("/jwks")
    assert refusal(node, new.sign(aud="stork")) == "io.virge.stork.denied"
    assert web.count("/jwks") == fetched + 1
    web.key_set = jwks(new)
    with node.join(new.sign(aud="stork")):
        pass
    assert refusal(node, EC.sign(aud="stork")) == "io.virge.stork.denied"
    web.key_set = jwks(EC)
    with node.join(EC.sign(aud="stork")):
        pass


def test_while_the_key_set_is_away_its_keys_stay(node, web):
    unknown = SigningKey("ES256", "e3")
    with node.join(EC.sign(aud="stork")):
        pass
    web.key_set = None
    try:
        with node.connect() as client, pytest.raises(Closed) as closed:
            client.join(unknown.sign(aud="stork"))
        assert closed.value.code == 1013
        with node.join(EC.sign(aud="stork")):
            pass
    finally:
        web.key_set = jwks(EC)


def test_http_decides_about_other_tickets(node, web):
    headers = {"X-Trace": "t1", "Cookie": "sid=5", "X-Other": "o"}
    with node.connect(headers=headers) as client:
        client.join("joe", "asked-for")
        assert client.welcome["authid"] == "joe"
        assert client.welcome["authextra"] == {"hello": "joe"}
        assert client.call("test.whoami")["private"] == {"orders": ["1", "2"]}
    [(_, document, sent)] = [each for each in web.asked if each[1].get("ticket") == "joe"]
    assert (document["authid"], document["realm"], document["address"]) == ("asked-for", "realm1", "127.0.0.1")
    assert (document["headers"]["x-other"], document["cookies"]) == ("o", {"sid": "5"})
    assert (sent["x-trace"], sent["cookie"]) == ("t1", "sid=5")
    assert "x-other" not in sent
    assert refusal(node, "denied") == "io.virge.stork.denied"
    assert refusal(node, "old") == "io.virge.stork.expired"
    node.wait_for_line("http.connect of config.json decides about tickets, and authenticator check")


def test_http_may_name_topics_and_an_end(node):
    with node.join("number") as client:
        assert client.welcome["authid"] == "7"
        client.subscribe("v1.number.1")
        with pytest.raises(Closed) as closed:
            client.receive()
        assert closed.value.code == 4001


@pytest.mark.parametrize("ticket", [*FAULTS, "nameless", "mistaken", "listed"])
def test_what_is_no_answer_is_not_now(node, web, ticket):
    asked = web.count("/connect")
    with node.connect() as client, pytest.raises(Closed) as closed:
        client.join(ticket)
    assert closed.value.code == 1013
    assert web.count("/connect") == asked + 1


def test_http_decides_about_subscriptions_and_its_answers_hold(node, web):
    with node.join("kim") as client, node.join("kim") as other:
        client.subscribe("v1.order.1")
        asked = web.count("/subscribe")
        other.subscribe("v1.order.1")
        assert web.count("/subscribe") == asked
        assert is_refused(client, "v1.order.3")
        assert is_refused(client, "v1.order.denied")
        assert is_refused(client, "v1.order.old")
        [document] = [each[1] for each in web.asked if each[1].get("topic") == "v1.order.1"][-1:]
        assert document["match"] == "exact"
        assert document["session"] == {"id": client.session_id, "authid": "kim", "private": {"orders": ["1", "2"]}}
        for fault in ("broken", "slow", "redirect", "huge", "empty"):
            asked = web.count("/subscribe")
            for _ in range(2):
                with pytest.raises(Refused) as refused:
                    client.subscribe(f"v1.order.{fault}")
                assert refused.value.uri == "io.virge.stork.unavailable"
            assert web.count("/subscribe") == asked + 2


def test_tokens_let_in_while_the_application_is_down(node):
    [app] = node.workers("ContainerController")
    os.kill(app, signal.SIGSTOP)
    try:
        with node.join(sign(aud="stork", channels=["v1.any.*"])) as client:
            client.subscribe("v1.any.1")
    finally:
        os.kill(app, signal.SIGCONT)
