"""The context of a running handler: the kind of its request, its user and session, and until when it may begin."""

import contextvars
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum

from stork_node.errors import StorkError


class Kind(Enum):
    """Handlers of one kind never wait for handlers of another kind."""

    JOIN = "join"
    VERIFY = "verify"
    CALL = "call"
    PRESENCE = "presence"  # on_join and on_leave
    LIFE = "life"  # on_start and on_stop


class NotBegun(StorkError):
    """A handler was not called: its caller has left, or has stopped waiting."""


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """
    Args:
        kind: the kind of the request.
        user: the user for the fair queue; None: no user.
        session: the id of the caller's session.
        begin_by: ``time.monotonic`` after which the caller no longer waits; None: no limit.
        may_take_s: maximum time of the handler, if it has one of its own; infinite: no maximum.
    """

    kind: Kind = Kind.LIFE
    user: Hashable = None
    session: Hashable = None
    begin_by: float | None = None
    may_take_s: float | None = None

    def check(self) -> None:
        """
        Raises:
            NotBegun: it is too late to begin.
        """
        if self.begin_by is not None and time.monotonic() > self.begin_by:
            raise NotBegun("it waited for longer than its time")


NO_CONTEXT = HandlerContext()

handler_context: contextvars.ContextVar[HandlerContext] = contextvars.ContextVar("handler_context", default=NO_CONTEXT)
"""Set while a handler runs, also for everything that it starts."""


def begin() -> None:
    """
    The first handler of a request begins. From now on the request is answered, however long that takes.

    Raises:
        NotBegun: it is too late.
    """
    handler_context.get().check()
    has_begun()


def has_begun() -> None:
    """As ``begin``, if it is not too late: the caller has checked that."""
    context = handler_context.get()
    if context.begin_by is not None:
        handler_context.set(replace(context, begin_by=None))
