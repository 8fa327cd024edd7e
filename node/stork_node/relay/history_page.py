"""One page of a topic's history, for the HTTP API: JSON with the events' bytes as they came."""

from stork_node.protocol.positions import Position
from stork_node.relay.histories import Histories

MAX_PAGE_BYTES = 512 << 10
"""Of events in one page, or one event."""


def history_page(histories: Histories, here: Position, topic: str, since: Position | None, limit: int) -> bytes:
    """
    The answer of ``recover`` for one topic (docs/delivery.md#recovery), with the events of all sessions.

    Args:
        here: the position of the node.
        since: None asks for the position only.
        limit: the number of events.
    """
    is_complete = (
        since is not None and since.epoch == here.epoch and histories.floor(topic) <= since.sequence <= here.sequence
    )
    if since is None or not is_complete:
        return b'{"recovered":false,"position":"%b","events":[]}' % str(here).encode()
    events: list[bytes] = []
    reached, left = str(since), MAX_PAGE_BYTES
    for kept in histories.after(topic, since.sequence):
        left -= len(kept.event)
        if len(events) == limit or (events and left < 0):
            return _page(reached, events, b',"more":true')
        reached = f"{here.epoch}:{kept.sequence}"
        events.append(b'{"position":"%b",%b' % (reached.encode(), kept.event[1:]))
    return _page(str(here), events, b"")


def _page(position: str, events: list[bytes], more: bytes) -> bytes:
    return b'{"recovered":true,"position":"%b","events":[%b]%b}' % (position.encode(), b",".join(events), more)
