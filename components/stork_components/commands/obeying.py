"""Obeys commands: ends sessions and subscriptions, and has the guard forget its answers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from stork_components.broadcaster import Broadcaster
from stork_crossbar import registry
from stork_crossbar.connections import closing
from stork_crossbar.internals.broadcasting import authid, session_id
from stork_crossbar.roles import DirectGuard
from stork_node.nodes.binding import names_subscription
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.session_marks import Binding, SessionMarks
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position

_REFRESH = "ask for a new ticket"
_UNSUBSCRIBED = "this subscription was ended"


class Obeying:
    """Obeys each command at its number: after the events before it, and before the events after it."""

    def __init__(self, broadcaster: Broadcaster, marks: SessionMarks) -> None:
        self._broadcaster, self._marks = broadcaster, marks

    def obey(self, command: Command, at: Position) -> dict[str, int]:
        """Do what the command says; returns how many sessions, subscriptions or answers it met."""
        if command.kind == "forget":
            return {"sessions": 0, "answers": self._forget_answers(command, frozenset())}
        self._marks.note(at, command)
        singleton(Revocations).note(command)
        named = self._named(command)
        self._forget_answers(command, frozenset(map(authid, named)) if command.session is not None else frozenset())
        bound: list[Any] = []
        doubtful: list[Any] = []
        for session in named:
            binding = self._marks.binding(session_id(session) or 0, at)
            if binding is Binding.BINDS:
                bound.append(session)
            elif binding is Binding.DOUBTFUL:
                doubtful.append(session)
        self._broadcaster.end(doubtful, partial(_close, reason=_REFRESH))
        counts = {"sessions": len(bound) + len(doubtful)}
        if command.kind == "unsubscribe":
            pairs = [(session, each) for session in bound for each in self._subscriptions(session, command)]
            reason = command.reason or _UNSUBSCRIBED
            self._broadcaster.end_subscriptions(pairs, _reason_uri(command.reason), reason)
            return counts | {"subscriptions": len(pairs)}
        self._broadcaster.end(bound, _ending(command))
        return counts

    def lose(self, code: int, reason: str) -> None:
        """Commands may have been missed: close every visitor, and have the guard forget all."""
        self._marks.lose()
        guard = registry.find(DirectGuard)
        if guard:
            guard.forget_answers(None)
        self._broadcaster.end(self._broadcaster.visitors(), partial(_close, code=code, reason=reason), is_break=True)

    def _forget_answers(self, command: Command, authids: frozenset[str]) -> int:
        guard = registry.find(DirectGuard)
        return guard.forget_answers((command, authids)) if guard else 0

    def _named(self, command: Command) -> list[Any]:
        """The sessions that the command names, of all times."""
        by_what_they_are = command.authid, command.role, command.session
        if command.topic is not None and by_what_they_are == (None, None, None):
            return self._broadcaster.subscribers(command.topic)
        visitors = self._broadcaster.visitors(*by_what_they_are)
        return [each for each in visitors if command.kind != "unsubscribe" or self._subscriptions(each, command)]

    def _subscriptions(self, session: Any, command: Command) -> list[Any]:
        """Those of a session that the command names."""
        subscriptions = self._broadcaster.subscriptions_of(session)
        return [each for each in subscriptions if names_subscription(command, each.uri, each.match)]


def _ending(command: Command) -> Callable[[Any], None]:
    if command.kind == "refresh":
        return partial(_close, reason=command.reason or _REFRESH)
    return partial(closing.say_goodbye, reason=uris.DISCONNECTED, message=command.reason or "disconnected")


def _close(session: Any, reason: str, code: int = closing.SESSION_IS_OVER) -> None:
    closing.close_session(session, code, reason)


def _reason_uri(reason: str) -> str:
    """UNSUBSCRIBED has a URI for its reason: a client may end the connection for any other text."""
    return reason if uris.is_uri(reason) else uris.UNSUBSCRIBED
