"""The worker processes: what they log, and which session class the router makes."""

import gc
import sys
from typing import Any

from autobahn import wamp
from crossbar.node import worker as processes
from crossbar.worker.container import ContainerController as CrossbarContainerController
from crossbar.worker.router import RouterController as CrossbarRouterController
from twisted.internet import defer, task
from twisted.logger import globalLogPublisher

from stork_components.connections import RESTARTING, close_transport
from stork_node.log_lines import Printer
from stork_node.personality.frames import look_first
from stork_node.personality.logs import observer_of_ours, take_over_logging
from stork_node.personality.router import StorkRouterFactory
from stork_node.personality.session import StorkSession
from stork_node.personality.shortcuts import SHORTCUTS, take_all

# For the close frames to leave before the process does.
_FLUSH_S = 0.3


def _log_to_controller() -> None:
    globalLogPublisher.addObserver(observer_of_ours(sys.__stderr__))  # type: ignore[arg-type]  # never None in a worker
    take_over_logging()


class RouterController(CrossbarRouterController):
    """In the router process."""

    router_factory_class = StorkRouterFactory

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _log_to_controller()
        look_first()
        take_all(SHORTCUTS)
        super().__init__(*args, **kwargs)
        self._router_session_factory.session = StorkSession

    @wamp.register(None)
    def start_router_transport(
        self, transport_id: str, config: dict[str, Any], create_paths: bool = False, details: Any = None
    ) -> Any:
        started = defer.maybeDeferred(super().start_router_transport, transport_id, config, create_paths, details)
        return started.addCallback(_leave_what_is_here_alone)

    @wamp.register(None)
    def stork_drain(self, details: Any = None) -> Any:
        """Close every client's connection with 1012, without GOODBYE: it comes back, to this node or another one."""
        for router in self._router_factory._routers.values():
            for session in list(router._session_id_to_session.values()):
                close_transport(session._transport, RESTARTING, "the node restarts")
        return task.deferLater(self._reactor, _FLUSH_S, lambda: None)


def _leave_what_is_here_alone(result: Any) -> Any:
    """
    Have the garbage collector look at connections alone, and less often.

    Crossbar is 170,000 objects that stay, and a connection adds 45: a walk through all of them was seen to stop
    everything for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    return result


class ContainerController(CrossbarContainerController):
    """In the application process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _log_to_controller()
        super().__init__(*args, **kwargs)


class RouterProcess(processes.RouterWorkerProcess):
    """The router process, as the controller sees it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _take_over(self, "router")


class ContainerProcess(processes.ContainerWorkerProcess):
    """The application process, as the controller sees it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _take_over(self, "app")


def _take_over(process: Any, name: str) -> None:
    """Print the process's log in our way, and tell the node when it is gone."""
    process._logger = Printer(name)
    process.exit.addBoth(process._controller._node.worker_gone, process)
