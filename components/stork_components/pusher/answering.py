"""The answers to requests of Pusher's HTTP API."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet import defer
from twisted.logger import Logger

from stork_components.pusher import telling
from stork_node.api.pushes import ApiPush
from stork_node.http.heads import Head
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.answers import EMPTY, outcome, refusal
from stork_node.pusher.http.commands import UserCommand
from stork_node.pusher.http.events import EventPush, read_batch, read_event
from stork_node.pusher.http.requests import PusherRequest

Done = Callable[[int, bytes], None]
"""Sends the answer: its status and its body."""
Told = Callable[[], Awaitable[bytes]]
"""Makes the body of an answer."""

_IDEMPOTENCY_KEY = b"idempotency-key"
_TOO_MANY = "this key has reached limits.pushes_per_second"
_log = Logger()


def answer(pusher: Any, request: PusherRequest, head: Head, body: bytes, done: Done) -> None:
    """
    Answer a request now or later.

    Raises:
        HttpRefusal: the request is refused.
    """
    counting = pusher.counting
    match request.route:
        case "events":
            header_id = head.value(_IDEMPOTENCY_KEY).decode("latin-1") if head.has(_IDEMPOTENCY_KEY) else None
            event = read_event(request.app, body, header_id)
            _push(pusher, request, [event], lambda: telling.channels_of(counting, event), done)
        case "batch_events":
            events = read_batch(request.app, body)
            _push(pusher, request, events, lambda: telling.batch_of(counting, events), done)
        case "channels":
            _tell(lambda: telling.channels(counting, request), done)
        case "channel":
            found = telling.channel_of(request)
            _tell(lambda: telling.channel(counting, request, found), done)
        case "users":
            done(200, telling.users(counting, telling.channel_of(request)))
        case "connections":
            _tell(lambda: telling.connections(counting, request), done)
        case _:
            _terminate(pusher, request, done)


def _tell(told: Told, done: Done) -> None:
    defer.ensureDeferred(_tell_or_fail(told, done))


async def _tell_or_fail(told: Told, done: Done) -> None:
    try:
        body = await told()
    except Exception:
        _log.failure("a request of Pusher's HTTP API could not be answered")
        done(500, refusal(HttpRefusal(500, "this node could not answer")))
    else:
        done(200, body)


def _terminate(pusher: Any, request: PusherRequest, done: Done) -> None:
    """End all connections of a user of this app, on all nodes; done when each node has obeyed."""
    command = UserCommand(request.app, request.subject, pusher.ids.next())
    if not pusher.may_push(request.key, 1):
        raise HttpRefusal(429, _TOO_MANY)
    command.done = partial(_settle, command, _nothing, done)
    pusher.link.send([command])


def _push(pusher: Any, request: PusherRequest, events: Sequence[EventPush], told: Told, done: Done) -> None:
    """Store all of the events, then answer with what ``told`` returns; all of them are checked before."""
    pushes = []
    for event in events:
        id = pusher.ids.next() if event.id is None else event.id
        pushes.append(ApiPush(id, None, event.frame(id)))
    if not pusher.may_push(request.key, len(pushes)):
        raise HttpRefusal(429, _TOO_MANY)
    if not pushes:
        _tell(told, done)
        return
    waiting = set(pushes)

    def settle(push: ApiPush) -> None:
        waiting.discard(push)
        if not waiting:
            _settle(next((each for each in pushes if each.error), pushes[0]), told, done)

    for push in pushes:
        push.done = partial(settle, push)
    pusher.link.send(pushes)


def _settle(push: ApiPush, told: Told, done: Done) -> None:
    if push.error:
        error = outcome(push.error, push.answer or b"")
        done(error.status, refusal(error))
    else:
        _tell(told, done)


async def _nothing() -> bytes:
    return EMPTY
