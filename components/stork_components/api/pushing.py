"""``POST /api/push``."""

from typing import Any

from stork_node.api.answers import ApiError
from stork_node.api.pushes import PushRequest, answer_of, read_pushes


def push(call: Any) -> None:
    """
    Send the pushes to the publish server, and answer when each has its answer.

    Raises:
        ApiError: the whole request is refused.
    """
    api = call.api
    header_id = call.head.value(b"idempotency-key") if call.head.has(b"idempotency-key") else None
    request = read_pushes(call.body, header_id, call.key, api.ids)
    api.counters.pushes += len(request.pushes)
    if not api.may_push(call.key.name, len(request.pushes)):
        raise ApiError("limit", "this key has reached limits.pushes_per_second")
    _Answering(call, request).begin()


class _Answering:
    """Counts the answers of one request."""

    def __init__(self, call: Any, request: PushRequest) -> None:
        self._call, self._request = call, request
        self._open = list(request.open())
        self._left = len(self._open) + 1

    def begin(self) -> None:
        for push in self._open:
            push.done = self._one_is_done
        if self._request.waits_for_nodes:  # all of them, so that they keep their order
            for push in self._open:
                self._call.api.command_link.send(push)
        else:
            self._call.api.link.send(self._open)
        self._one_is_done()

    def _one_is_done(self) -> None:
        self._left -= 1
        if not self._left:
            self._call.reply(answer_of(self._request))
