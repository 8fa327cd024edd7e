"""For whom a handler runs: which kind of question it answers, whose question that is, and until when it may begin."""

import contextvars
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum

from stork_node.errors import StorkError


class Kind(Enum):
    """Handlers of one kind never wait for handlers of another one."""

    JOIN = "join"
    VERIFY = "verify"
    CALL = "call"
    PRESENCE = "presence"  # on_join and on_leave
    LIFE = "life"  # on_start and on_stop


class NotBegun(StorkError):
    """A handler was not called: whoever asked has left, or has stopped waiting."""


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """
    Args:
        kind: what is asked for.
        user: whose turn it is; None: nobody's in particular.
        session: the id of the session that asks.
        begin_by: ``time.monotonic`` after which nobody waits for an answer; None: no limit.
        may_take_s: how long its handler may take, where it says so itself; infinite: for ever.
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
"""Set for as long as a handler runs, and for whatever it starts."""


def begin() -> None:
    """
    The first handler of a question begins: from here on it is answered, however long that takes.

    Raises:
        NotBegun: it is too late.
    """
    handler_context.get().check()
    has_begun()


def has_begun() -> None:
    """The same, where that was checked already."""
    context = handler_context.get()
    if context.begin_by is not None:
        handler_context.set(replace(context, begin_by=None))
