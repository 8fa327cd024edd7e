"""Resources that answer whole requests as bytes, without Twisted's request, which takes most of the time."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.web.resource import Resource

from stork_crossbar.http.answers import answer_bytes
from stork_node.http.heads import Head


class Exchange:
    """One request that waits for its answer. It stands in the place of Twisted's request in an ``HttpChannel``."""

    __slots__ = ("_channel", "_is_head", "_is_last")

    def __init__(self, channel: Any, head: Head, *, is_last: bool) -> None:
        self._channel, self._is_head, self._is_last = channel, head.method == "HEAD", is_last

    @property
    def is_open(self) -> bool:
        """Whether the client still waits."""
        return self._channel is not None

    def reply(self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Send the answer, JSON; nothing if the client is gone, or has its answer."""
        channel, self._channel = self._channel, None
        if channel is not None:
            data = answer_bytes(status, body, headers, is_last=self._is_last, has_body=not self._is_head)
            channel.answer(self, data)

    def connectionLost(self, _reason: Any) -> None:
        self._channel = None


Handler = Callable[[bytes, Exchange], None]
"""Takes the body of a request, and answers it now or later."""


class DirectResource(Resource):
    """All paths below one name of a site. Under stock Crossbar there is nothing at it."""

    isLeaf = True
    keeps_heads = True
    """Whether what ``begin`` returns also answers later requests of a connection that have an equal head."""
    max_body_bytes = 0
    """The largest body that is read. A larger one, or one without its length, is refused whatever ``begin`` says."""

    def begin(self, head: Head) -> Handler:
        """
        A request comes, its body not yet.

        Raises:
            Refused: its body is not read, and the connection ends.
        """
        raise NotImplementedError

    def render(self, request: Any) -> bytes:
        request.setResponseCode(404)
        return b"there is nothing here\n"


def direct_resource(site: Any, target: bytes) -> DirectResource | None:
    """The resource of a site that answers this request, if it does so directly."""
    name = target[1:].partition(b"?")[0].partition(b"/")[0]
    resource = getattr(site.resource, "children", {}).get(name)
    return resource if isinstance(resource, DirectResource) else None
