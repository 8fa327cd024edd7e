"""The threads of an application: each kind of handler has its own, so that no kind waits for another."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from stork_node.application.running.daemon_pool import DaemonPool
from stork_node.application.running.handler_context import Kind, handler_context

P = ParamSpec("P")
T = TypeVar("T")

# In these pools one user has only a part of the threads. A client that wants to join has no user yet.
_SHARED = (Kind.VERIFY, Kind.CALL)


class ThreadPools(ThreadPoolExecutor):
    """
    An executor that gives each function to the pool of its kind, by the context variable ``handler_context``.

    Args:
        threads: threads of each kind. One user can hold 7/8 of those for verifiers, and 7/8 of those for calls.
        name: prefix of the threads' names.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads)
        self.name = name
        share = threads - threads // 8
        self.pools = {kind: DaemonPool(threads, name, share if kind in _SHARED else None) for kind in Kind}

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """
        Run ``function`` in a thread, fairly between users; the context has the user.

        Raises:
            RuntimeError: shut down.
        """
        context = handler_context.get()
        return self.pools[context.kind].submit_for(context, function, *args, **kwargs)

    def watched(self) -> list[DaemonPool]:
        """The pools whose handlers must end in time. An on_start handler may take any time."""
        return [pool for kind, pool in self.pools.items() if kind is not Kind.LIFE]

    def drop(self, session: Hashable) -> None:
        """``session`` is gone: do not begin its waiting jobs."""
        for kind, pool in self.pools.items():
            if kind is not Kind.PRESENCE:
                pool.drop(session)

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """As ``DaemonPool``."""
        for pool in self.pools.values():
            pool.shutdown()
