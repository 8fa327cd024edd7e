"""Pushes by Crossbar's public ``publish``: slower by far, and right, wherever the direct way cannot be taken."""

from collections.abc import Sequence
from typing import Any

from autobahn.wamp.types import PublishOptions
from twisted.logger import Logger

from stork_node.errors import UnwritableEvent
from stork_node.protocol.bus import PushFrame
from stork_node.protocol.wamp_events import Content

_log = Logger()


def publish(component: Any, push: PushFrame, ended: Sequence[int] = ()) -> None:
    """One push, to all of its topics; ``ended``: ids of sessions that get nothing more."""
    exclude = [*push.exclude, *ended]
    options = PublishOptions(exclude=exclude) if exclude else None
    content = Content(push.event, str(push.position))
    try:
        args = content.args()
    except UnwritableEvent as error:
        _log.error("push {position} cannot be published: {error}", position=content.position, error=error)
        return
    for topic in push.topics:
        component.publish(topic, *args, options=options, position=content.position)
