"""What backends are told of channels, their subscribers and their members."""

from collections.abc import Sequence
from typing import Any

from stork_components.pusher.counting import Counting
from stork_node.pusher.channels import Channel
from stork_node.pusher.errors import HttpRefusal, InvalidChannel
from stork_node.pusher.http.answers import EMPTY, as_json
from stork_node.pusher.http.events import EventPush
from stork_node.pusher.http.requests import PusherRequest

_SUBSCRIPTION_COUNT, _USER_COUNT = "subscription_count", "user_count"
# Some 5 ms.
_CHANNELS_A_TURN = 500


def channel_of(request: PusherRequest) -> tuple[Channel, str]:
    """
    The channel that a request is about, and its topic.

    Raises:
        HttpRefusal: it is none.
    """
    try:
        channel = Channel.parse(request.subject)
        return channel, channel.topic(request.app.version)
    except InvalidChannel as error:
        raise HttpRefusal(400, str(error)) from None


async def channels(counting: Counting, request: PusherRequest) -> bytes:
    prefix = request.parameters.get("filter_by_prefix", "")
    found = await counting.channels(request.app.version, prefix)
    told = {}
    for number, (name, subscriptions) in enumerate(found.items()):
        if number % _CHANNELS_A_TURN == 0:
            await counting.pause()
        channel = Channel.parse(name)
        topic = channel.topic(request.app.version)
        told[name] = _told(counting, channel, topic, request.info, {topic: subscriptions})
    return as_json({"channels": told})


async def channel(counting: Counting, request: PusherRequest, found: tuple[Channel, str]) -> bytes:
    asked, topic = found
    subscriptions = await counting.subscriptions([topic])
    is_occupied = bool(subscriptions[topic] or counting.users(topic))
    return as_json({"occupied": is_occupied, **_told(counting, asked, topic, request.info, subscriptions)})


def users(counting: Counting, found: tuple[Channel, str]) -> bytes:
    """
    Raises:
        HttpRefusal: the channel has no members.
    """
    asked, topic = found
    if not asked.is_presence:
        raise HttpRefusal(400, "only presence channels have users")
    return as_json({"users": [{"id": id} for id in counting.users(topic)]})


async def connections(counting: Counting, request: PusherRequest) -> bytes:
    return as_json({"connections": await counting.connections(request.app.id)})


async def channels_of(counting: Counting, event: EventPush) -> bytes:
    """What an event's answer tells of its channels."""
    return as_json({"channels": await _info(counting, event)}) if event.info else EMPTY


async def batch_of(counting: Counting, events: Sequence[EventPush]) -> bytes:
    """What a batch's answer tells of the channels of its events."""
    if not any(event.info for event in events):
        return EMPTY
    return as_json(
        {"batch": [(await _info(counting, each))[each.channels[0].name] if each.info else {} for each in events]}
    )


async def _info(counting: Counting, event: EventPush) -> dict[str, Any]:
    wanted = event.topics if _SUBSCRIPTION_COUNT in event.info else ()
    subscriptions = await counting.subscriptions(wanted)
    pairs = zip(event.channels, event.topics, strict=True)
    return {each.name: _told(counting, each, topic, event.info, subscriptions) for each, topic in pairs}


def _told(
    counting: Counting, channel: Channel, topic: str, info: Sequence[str], subscriptions: dict[str, int]
) -> dict[str, Any]:
    told = {}
    if _SUBSCRIPTION_COUNT in info:
        told[_SUBSCRIPTION_COUNT] = subscriptions[topic]
    if _USER_COUNT in info and channel.is_presence:
        told[_USER_COUNT] = len(counting.users(topic))
    return told
