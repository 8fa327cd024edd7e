"""Pushes what only webhooks are told: the publish server stores it, and posts it to the backend."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw
from twisted.logger import Logger

from stork_node.api.pushes import ApiPush
from stork_node.errors import InvalidPush
from stork_node.limits.allowance import Allowance
from stork_node.protocol.push import encode_push
from stork_node.pusher.apps import App
from stork_node.pusher.webhooks.topics import hook_topic

_PER_S = 500
_WARN_EVERY_S = 60.0


class Hooks:
    """
    Args:
        send: takes pushes for the publish server.
        next_id: makes the id of a push.
    """

    log = Logger()

    def __init__(self, reactor: Any, send: Callable[[list[ApiPush]], None], next_id: Callable[[], str]) -> None:
        self._reactor, self._send, self._next_id = reactor, send, next_id
        self._allowances: dict[str, Allowance] = {}
        self._warned_at = float("-inf")

    def tell(self, app: App, event: str, /, **facts: Any) -> None:
        """Tell the webhooks of an app, if they want to hear of it."""
        if not app.tells(event):
            return
        now = self._reactor.seconds()
        if not self._allowances.setdefault(app.id, Allowance(_PER_S, 1, now)).take(1, now):
            self._warn(f"an app has more than {_PER_S} a second")
            return
        id, data = self._next_id(), msgspec.json.encode({"name": event, **facts})
        try:
            push = ApiPush(id, None, encode_push(hook_topic(app.version), event, Raw(data), id=id))
        except InvalidPush as error:
            self._warn(error.reason)
            return
        push.done = partial(self._is_stored, push)
        self._send([push])

    def _is_stored(self, push: ApiPush) -> None:
        if push.error:
            self._warn(push.error)

    def _warn(self, why: str) -> None:
        now = self._reactor.seconds()
        if now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            self.log.warn("a webhook of a Pusher app is not told of events: {why}", why=why)
