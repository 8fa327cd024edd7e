"""The answers to requests of Pusher's HTTP API."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from stork_node.api.pushes import ApiPush
from stork_node.http.heads import Head
from stork_node.pusher.channels import Channel
from stork_node.pusher.errors import HttpRefusal, InvalidChannel
from stork_node.pusher.http.answers import EMPTY, as_json, outcome, refusal
from stork_node.pusher.http.commands import UserCommand
from stork_node.pusher.http.events import EventPush, read_batch, read_event
from stork_node.pusher.http.requests import PusherRequest

Done = Callable[[int, bytes], None]
"""Sends the answer: its status and its body."""

_IDEMPOTENCY_KEY = b"idempotency-key"
_SUBSCRIPTION_COUNT, _USER_COUNT = "subscription_count", "user_count"
_TOO_MANY = "this key has reached limits.pushes_per_second"


def answer(pusher: Any, request: PusherRequest, head: Head, body: bytes, done: Done) -> None:
    """
    Answer a request now or later.

    Raises:
        HttpRefusal: the request is refused.
    """
    if request.route == "events":
        header_id = head.value(_IDEMPOTENCY_KEY).decode("latin-1") if head.has(_IDEMPOTENCY_KEY) else None
        event = read_event(request.app, body, header_id)
        _push(pusher, request, [event], lambda: _channels_of(pusher, event), done)
    elif request.route == "batch_events":
        events = read_batch(request.app, body)
        _push(pusher, request, events, lambda: _batch_of(pusher, events), done)
    elif request.route == "channels":
        prefix = request.parameters.get("filter_by_prefix", "")
        done(200, as_json({"channels": _channels(pusher, request, prefix)}))
    elif request.route == "channel":
        topic = _topic(request, _channel(request))
        told = _told(pusher, topic, request.info)
        is_occupied = pusher.sockets.table.match(topic) is not None or bool(pusher.presence.users(topic))
        done(200, as_json({"occupied": is_occupied, **told}))
    elif request.route == "connections":
        sockets = pusher.sockets.table.sockets.values()
        done(200, as_json({"connections": sum(each.connection.app.id == request.app.id for each in sockets)}))
    elif request.route == "terminate_connections":
        _terminate(pusher, request, done)
    elif not _channel(request).is_presence:
        raise HttpRefusal(400, "only presence channels have users")
    else:
        users = pusher.presence.users(_topic(request, _channel(request)))
        done(200, as_json({"users": [{"id": id} for id in users]}))


def _channel(request: PusherRequest) -> Channel:
    try:
        return Channel.parse(request.subject)
    except InvalidChannel as error:
        raise HttpRefusal(400, str(error)) from None


def _topic(request: PusherRequest, channel: Channel) -> str:
    try:
        return channel.topic(request.app.version)
    except InvalidChannel as error:
        raise HttpRefusal(400, str(error)) from None


def _channels(pusher: Any, request: PusherRequest, prefix: str) -> dict[str, Any]:
    """The channels with subscribers; presence channels with members on any node."""
    version = request.app.version
    names = [each.channel for each in pusher.sockets.table.channels(version, prefix)]
    names += [channel for channel, _ in pusher.presence.channels(version, prefix)]
    return {channel.name: _told(pusher, channel.topic(version), request.info) for channel in names}


def _told(pusher: Any, topic: str, info: Sequence[str]) -> dict[str, Any]:
    """What is told of one channel."""
    told = {}
    if _SUBSCRIPTION_COUNT in info:
        subscribers = pusher.sockets.table.match(topic)
        told[_SUBSCRIPTION_COUNT] = len(subscribers.observers) if subscribers else 0
    if _USER_COUNT in info and topic.partition(".")[2].startswith("presence-"):
        told[_USER_COUNT] = len(pusher.presence.users(topic))
    return told


def _terminate(pusher: Any, request: PusherRequest, done: Done) -> None:
    """End all connections of a user of this app, on all nodes; done when each node has obeyed."""
    command = UserCommand(request.app, request.subject, pusher.ids.next())
    if not pusher.may_push(request.key, 1):
        raise HttpRefusal(429, _TOO_MANY)
    command.done = partial(_settle_one, command, lambda: EMPTY, done)
    pusher.link.send([command])


def _settle_one(push: ApiPush, told: Callable[[], bytes], done: Done) -> None:
    if push.error:
        error = outcome(push.error, push.answer or b"")
        done(error.status, refusal(error))
    else:
        done(200, told())


# -- pushes ------------------------------------------------------------------------------------------------------------


def _channels_of(pusher: Any, event: EventPush) -> bytes:
    if not event.info:
        return EMPTY
    return as_json({"channels": _info(pusher, event)})


def _batch_of(pusher: Any, events: Sequence[EventPush]) -> bytes:
    if not any(event.info for event in events):
        return EMPTY
    told = [_info(pusher, event)[event.channels[0].name] if event.info else {} for event in events]
    return as_json({"batch": told})


def _info(pusher: Any, event: EventPush) -> dict[str, Any]:
    pairs = zip(event.channels, event.topics, strict=True)
    return {channel.name: _told(pusher, topic, event.info) for channel, topic in pairs}


def _push(
    pusher: Any, request: PusherRequest, events: Sequence[EventPush], told: Callable[[], bytes], done: Done
) -> None:
    """Store all of the events, then answer with what ``told`` returns; all of them are checked before."""
    pushes = []
    for event in events:
        id = pusher.ids.next() if event.id is None else event.id
        pushes.append(ApiPush(id, None, event.frame(id)))
    if not pusher.may_push(request.key, len(pushes)):
        raise HttpRefusal(429, _TOO_MANY)
    waiting = set(pushes)

    def settle(push: ApiPush) -> None:
        waiting.discard(push)
        if waiting:
            return
        _settle_one(next((each for each in pushes if each.error), pushes[0]), told, done)

    for push in pushes:
        push.done = partial(settle, push)
    if pushes:
        pusher.link.send(pushes)
    else:
        done(200, told())
