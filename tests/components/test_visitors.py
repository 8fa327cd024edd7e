"""The sessions that the application is told about, compared with those of the router."""

import warnings
from types import SimpleNamespace

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock

from tests.components.fake_session import FakeSession

with warnings.catch_warnings():
    # What autobahn imports is full of what is deprecated.
    warnings.simplefilter("ignore")
    from stork_components.meta import COMPARE_S, Visitors


class Router(FakeSession):
    """Knows sessions, and tells of them when it is asked."""

    def __init__(self):
        super().__init__()
        self.sessions = set()

    def call(self, uri, *args):
        answers = {
            "wamp.session.list": lambda: list(self.sessions),
            "wamp.session.get": lambda: {"session": args[0], "authrole": "frontend"},
            "io.virge.stork.guard.session": lambda: {"authid": "joe"},
        }
        return defer.succeed(answers[uri]())


@pytest.fixture
def told():
    return []


@pytest.fixture
def router():
    return Router()


@pytest.fixture
def clock(router, told):
    clock = Clock()
    application = SimpleNamespace(
        stork=SimpleNamespace(follows_sessions=True),
        joined=lambda session: told.append(("joined", session["session"])),
        left=lambda session: told.append(("left", session["session"])),
    )
    defer.ensureDeferred(Visitors(router, application, clock).follow())
    return clock


def test_a_leave_without_an_event_is_found_by_comparing(router, clock, told):
    router.sessions.add(7)
    router.emit("wamp.session.on_join", {"session": 7, "authrole": "frontend"})
    router.sessions.clear()
    clock.advance(COMPARE_S)
    assert told == [("joined", 7), ("left", 7)]
    router.emit("wamp.session.on_leave", 7, "joe", "frontend")
    clock.advance(COMPARE_S)
    assert len(told) == 2


def test_a_join_without_an_event_is_found_by_comparing(router, clock, told):
    router.sessions.add(7)
    clock.advance(COMPARE_S)
    clock.advance(COMPARE_S)
    router.emit("wamp.session.on_join", {"session": 7, "authrole": "frontend"})
    assert told == [("joined", 7)]
