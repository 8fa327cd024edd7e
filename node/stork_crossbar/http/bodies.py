"""
Requests with a body: a resource sets its maximum in ``max_body_bytes``. No resource of the node itself takes a body.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

from stork_node.http.heads import METHOD_REFUSED, METHODS, Head, Refusal, Refused


def make_request(channel: Any, head: Head) -> Any:
    """Twisted's request, with the headers of ``head``."""
    request = channel.site.requestFactory(channel)
    for name, value in head.headers:
        request.requestHeaders.addRawHeader(name, value)
    return request


def check_body(channel: Any, head: Head) -> bool:
    """
    Whether the client waits for ``100 Continue`` before it sends the body.

    Raises:
        Refused: the resource takes no such request.
    """
    if not head.has_body and head.method in METHODS:
        return False
    request = make_request(channel, head)
    request.site, request.prepath, request.path = channel.site, [], head.target.partition(b"?")[0]
    request.postpath = [unquote_to_bytes(name) for name in request.path[1:].split(b"/")]
    most: int = getattr(channel.site.getResourceFor(request), "max_body_bytes", 0)
    if not most and head.method not in METHODS:
        raise Refused(Refusal(405, METHOD_REFUSED, "method"))
    check_size(head, most)
    return head.has_body and bool(head.value(b"expect"))


def check_size(head: Head, most: int) -> None:
    """
    Raises:
        Refused: the body has more than ``most`` bytes, or does not say how many.
    """
    if head.body_bytes is None and most:
        raise Refused(Refusal(411, f"a body needs its Content-Length here (at most {most})", "body"))
    if head.body_bytes is None or head.body_bytes > most:
        raise Refused(Refusal(413, f"a body has at most {most} bytes here", "body"))
