"""Polls one descriptor without waiting."""

import select


def is_ready(fd: int, event: int) -> bool:
    """Whether ``event`` (``select.POLLIN``, ``select.POLLOUT``) is there now."""
    poll = select.poll()
    poll.register(fd, event)
    return any(found & event for _, found in poll.poll(0))
