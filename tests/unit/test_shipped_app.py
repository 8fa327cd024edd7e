"""The application that ships: ``.crossbar/app.py``."""

import sys

import pytest

from stork_node import CallError
from stork_node.application import loading
from stork_node.application.summary import Summary
from stork_node.testing import AppTester, Denied


@pytest.fixture
def tester(pytestconfig, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("STORK_TICKET", "s3cret")
    monkeypatch.delitem(sys.modules, "app", raising=False)
    with AppTester(loading.load("app:stork", pytestconfig.rootpath / ".crossbar")) as tester:
        yield tester
    monkeypatch.delitem(sys.modules, "app")


def test_its_summary_is_that_of_a_trial(pytestconfig, tester):
    folder = pytestconfig.rootpath / ".crossbar"
    summary = Summary.of(loading.load("app:stork", folder), folder)
    assert summary == Summary(("v1.test", "v1.user", "v1.room"), ("virge.stork.example.foo",), takes_shared_ticket=True)


def test_the_ticket_gives_the_authid_that_the_client_asks_for_else_guest(tester):
    assert tester.join("s3cret", authid="alice").session.authid == "alice"
    assert tester.join("s3cret").session.authid == "guest"
    assert tester.join("s3cret", authid="").session.authid == "guest"
    assert tester.join("s3cret").session.role == "frontend"


@pytest.mark.parametrize("ticket", ["", "S3cret", "s3cret ", "sécret"])
def test_any_other_ticket_is_denied(tester, ticket):
    with pytest.raises(Denied) as refused:
        tester.join(ticket)
    assert refused.value.uri == "io.virge.stork.denied"


@pytest.mark.parametrize("unset", [True, False])
def test_without_a_ticket_of_its_own_nobody_gets_in(tester, monkeypatch, unset):
    if unset:
        monkeypatch.delenv("STORK_TICKET")
    else:
        monkeypatch.setenv("STORK_TICKET", "")
    for ticket in ("", "s3cret"):
        with pytest.raises(Denied):
            tester.join(ticket)


def test_a_ticket_may_be_any_text(tester, monkeypatch):
    monkeypatch.setenv("STORK_TICKET", "Schlüssel")
    assert tester.join("Schlüssel").session.authid == "guest"


def test_everybody_sees_v1_test_and_only_oneself_v1_user(tester):
    alice = tester.join("s3cret", authid="alice")
    alice.subscribe("v1.test.1")
    alice.subscribe("v1.test.hello")
    alice.subscribe("v1.user.alice")
    for topic, match in [("v1.user.bob", "exact"), ("v1.user.", "prefix"), ("v1.test.", "prefix"), ("v1.x.1", "exact")]:
        with pytest.raises(Denied) as refused:
            alice.subscribe(topic, match)
        assert refused.value.uri == "wamp.error.not_authorized"


def test_foo_takes_its_name_by_name_or_in_one_object(tester):
    client = tester.join("s3cret")
    assert client.call("virge.stork.example.foo", {"name": "x"}) == {"bar": "x"}
    assert client.call("virge.stork.example.foo", name={"any": ["json"]}) == {"bar": {"any": ["json"]}}


@pytest.mark.parametrize("args", [(), ("name",), (1,), (None,), ([],), ({},), ({"name": 1}, 2)], ids=repr)
def test_foo_says_what_it_wants(tester, args):
    with pytest.raises(CallError) as raised:
        tester.join("s3cret").call("virge.stork.example.foo", *args)
    assert raised.value.uri == "wamp.error.invalid_argument"
    assert raised.value.message == 'foo wants {"name": …}'
