"""Commands that come while somebody joins or asks, and what the guard forgets because of them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet import defer

from stork_node import Principal
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.session_marks import SessionMarks
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from stork_node.tokens.claims import Bearer
from tests.components import test_guard_and_tester
from tests.components.test_guard_and_tester import DEADLINE_S, GuardAlone, Outcome, application

OUT = Command("disconnect", authid="joe")


class Slow(GuardAlone):
    """Its application answers when the test says so."""

    def __init__(self) -> None:
        self.held: list[Any] | None = None
        super().__init__(application([]))

    def call(self, uri: str, *args: Any, **kwargs: Any) -> "defer.Deferred[Any]":
        answer = super().call(uri, *args, **kwargs)
        if self.held is None or uri == "wamp.registration.lookup":
            return answer
        waiting: defer.Deferred[Any] = defer.Deferred()
        self.held.append((waiting, answer))
        return waiting

    def release(self) -> None:
        held, self.held = self.held or [], None
        for waiting, answer in held:
            answer.chainDeferred(waiting)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Session ids and codes of connections that the guard has closed."""
    found: list[tuple[int, int]] = []
    import stork_components.guard as module

    monkeypatch.setattr(module.closing, "close", lambda _, session_id, code, __: found.append((session_id, code)))
    return found


@pytest.fixture
def guard(closed: list[tuple[int, int]]) -> Iterator[Slow]:
    guard = Slow()
    yield guard
    guard.runtime.stop().result(DEADLINE_S)


def given(sequence: int, command: Command = OUT) -> None:
    """A command is obeyed by this node."""
    marks = singleton(SessionMarks)
    marks.note(Position("e", sequence), command)
    marks.obeyed = Position("e", sequence)


def begin(asked: Any) -> list[Any]:
    results: list[Any] = []
    defer.ensureDeferred(asked).addBoth(results.append)
    return results


def details(session_id: int) -> dict[str, Any]:
    peer = {"peer": f"tcp4:{test_guard_and_tester.PEER}:50000"}
    return {"ticket": "joe", "session": session_id, "transport": peer}


def test_a_join_whose_ticket_is_out_is_told_to_try_again(guard, closed):
    given(1, Command("disconnect", authid="nobody"))
    guard.held = []
    results = begin(guard.authenticate("realm1", None, details(7)))
    given(2)
    guard.release()
    assert results[0].value.error == uris.UNAVAILABLE
    assert guard.join("joe", None, 8) == Outcome()
    assert closed == []


def test_a_command_for_others_does_not_hinder_a_join(guard, closed):
    guard.held = []
    results = begin(guard.authenticate("realm1", None, details(7)))
    given(1, Command("refresh", authid="somebody"))
    guard.release()
    guard.joined(7)
    assert results == [{"authid": "joe", "role": "frontend", "extra": {"name": "Joe"}}]
    assert closed == []


def test_a_command_between_ticket_and_welcome_closes_the_session(guard, closed):
    [result] = begin(guard.authenticate("realm1", None, details(7)))
    assert result["authid"] == "joe"
    given(1)
    guard.joined(7)
    assert closed == [(7, 4001)]


def test_a_token_from_before_a_disconnect_is_refused(guard, monkeypatch):
    bearer = Bearer(Principal("joe"), issued_at=99)

    async def check(_: str) -> Bearer:
        return bearer

    monkeypatch.setattr("stork_components.guard.joining.looks_like_token", lambda _: True)
    guard.parts.tokens = SimpleNamespace(
        are_known=True, is_token=lambda _: True, check=check, claimed_user=lambda _: "joe"
    )
    assert guard.join("a.b.c", None, 7) == Outcome()
    singleton(Revocations).merge({"joe": 100})
    assert guard.join("a.b.c", None, 8).uri == "io.virge.stork.denied"
    bearer = Bearer(Principal("joe"), issued_at=100)
    assert guard.join("a.b.c", None, 9) == Outcome()


def test_a_subscription_whose_question_is_out_is_asked_again(guard):
    guard.join("joe", None, 7)
    session = {"session": 7, "authid": "joe", "authrole": "frontend", "transport": None}
    guard.held = first = []
    results = begin(guard.authorize(session, "v1.orders.42", "subscribe"))
    assert guard.forget_answers((OUT, frozenset())) == 0
    guard.held = second = []
    for waiting, answer in first:
        answer.chainDeferred(waiting)
    assert (results, len(second)) == ([], 1)
    guard.release()
    assert results[0]["allow"] is True
