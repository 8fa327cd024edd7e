"""The worker processes: what they log, and which session class the router makes."""

import sys
from typing import Any

from crossbar.node import worker as processes
from crossbar.worker.container import ContainerController as CrossbarContainerController
from crossbar.worker.router import RouterController as CrossbarRouterController
from twisted.logger import globalLogPublisher

from stork_node.personality.logs import Printer, observer_of_ours, take_over_logging
from stork_node.personality.session import StorkSession


def _log_to_controller() -> None:
    globalLogPublisher.addObserver(observer_of_ours(sys.__stderr__))  # type: ignore[arg-type]  # never None in a worker
    take_over_logging()


class RouterController(CrossbarRouterController):
    """In the router process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _log_to_controller()
        super().__init__(*args, **kwargs)
        self._router_session_factory.session = StorkSession


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
