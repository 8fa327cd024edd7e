"""The threads of an application: each kind of question has its own, so that none waits for those of another kind."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from stork_node.application.running.daemon_pool import DaemonPool
from stork_node.application.running.handler_context import Kind, handler_context

P = ParamSpec("P")
T = TypeVar("T")

# In these, a user has a part of the threads. Who wants to join is nobody yet.
_SHARED = (Kind.VERIFY, Kind.CALL)


class Lanes(ThreadPoolExecutor):
    """
    An executor that gives each function to the pool of its kind, by the context variable ``handler_context``.

    Args:
        threads: how many there are of each kind. One user has seven eighths of those for verifiers, and for calls.
        name: what the threads are called.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads)
        self.name = name
        share = threads - threads // 8
        self.pools = {kind: DaemonPool(threads, name, share if kind in _SHARED else None) for kind in Kind}

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """
        Run ``function`` in a thread, when it is the turn of the user for whom the caller runs.

        Raises:
            RuntimeError: shut down.
        """
        context = handler_context.get()
        return self.pools[context.kind].submit_for(context, function, *args, **kwargs)

    def watched(self) -> list[DaemonPool]:
        """Those whose handlers must come to their end. An on_start handler may take as long as it likes."""
        return [pool for kind, pool in self.pools.items() if kind is not Kind.LIFE]

    def drop(self, session: Hashable) -> None:
        """``session`` is gone: what waits for it is not begun."""
        for kind, pool in self.pools.items():
            if kind is not Kind.PRESENCE:
                pool.drop(session)

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """As ``DaemonPool``."""
        for pool in self.pools.values():
            pool.shutdown()
