"""The node's controller process: its configuration, its workers' deaths, and its end."""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

from autobahn.wamp.exception import ApplicationError
from crossbar.common.checkconfig import NODE_SHUTDOWN_ON_SHUTDOWN_REQUESTED
from crossbar.node import node as crossbar_node
from twisted.internet import defer

from stork_node import configuration
from stork_node.log_lines import Printer

# Pauses before the application process is started again, in seconds: the first soon, as a deploy may have killed it.
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
# A process that lived this long was well: the next pause is the first again.
WELL_S = 30.0
# A router that hangs does not hold up the end.
_DRAIN_TIMEOUT_S = 3.0


class Node(crossbar_node.Node):
    """
    Ends with status 0 when it is asked to stop, with 1 when the router is gone or a worker fails at the node's start.

    An application process that dies later is started again, with growing pauses: browsers stay connected meanwhile.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._print = Printer("node")
        self._booted = False
        self._pauses: dict[str, float] = {}

    def load_config(self, configfile: str | None = None, default: Any = None) -> tuple[int, str | None]:
        """Read ``config.json`` as ``configuration.load`` does; ``configfile`` is an absolute path."""
        if configfile is None:
            raise ValueError("a Stork node has no default configuration")
        self._config = configuration.load(Path(configfile).parent, os.environ).crossbar
        self.personality.check_config(self.personality, self._config)
        return self.CONFIG_SOURCE_LOCALFILE, configfile

    def _extend_worker_args(self, args: list[str], options: Any) -> None:
        # The controller itself says errors only: what its workers do is told here, and their own lines are theirs.
        args.extend(["--expose_controller", "true", "--expose_shared", "true", "--loglevel", "warn"])

    def _set_shutdown_triggers(self, controller_options: Any) -> None:
        # Which worker the node can do without is decided in worker_gone.
        self._node_shutdown_triggers = [NODE_SHUTDOWN_ON_SHUTDOWN_REQUESTED]

    @defer.inlineCallbacks
    def boot(self) -> Generator[Any, Any, None]:
        self._reactor.callLater(0, self._take_over_signals)
        try:
            yield super().boot()
        except Exception as error:
            self._fail(f"the node cannot start: {_sentence(error)}")
        else:
            self._booted = not self._is_ending
        if self._booted:
            self._print.line("info", "the node is ready")
        else:
            # Crossbar says READY to whoever supervises it (sd_notify) after this, whatever came of it.
            os.environ.pop("NOTIFY_SOCKET", None)

    def _configure_native_worker_router(self, name: str, worker_id: str, worker: dict[str, Any]) -> Any:
        return _unless_gone(super()._configure_native_worker_router(name, worker_id, worker), worker_id)

    def _configure_native_worker_container(self, name: str, worker_id: str, worker: dict[str, Any]) -> Any:
        return _unless_gone(super()._configure_native_worker_container(name, worker_id, worker), worker_id)

    @property
    def _is_ending(self) -> bool:
        return bool(self._controller._shutdown_requested)

    def _take_over_signals(self) -> None:
        """Once the reactor runs, as it installs its own handlers when it starts."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_asked)

    def _stop_asked(self, *_: Any) -> None:
        Printer.node_is_ending = True
        self._reactor.callFromThread(self._drain_and_stop)

    def _drain_and_stop(self) -> None:
        drains = [
            self._controller.call(f"crossbar.worker.{worker['id']}.stork_drain").addErrback(lambda _: None)
            for worker in self._config["workers"]
            if worker["type"] == "router" and worker.get("id") in self._controller._workers
        ]
        drained = defer.gatherResults(drains)
        drained.addTimeout(_DRAIN_TIMEOUT_S, self._reactor).addErrback(lambda _: None)
        drained.addCallback(lambda _: self.stop())

    def _fail(self, sentence: str) -> None:
        if not self._is_ending:
            self._print.line("error", sentence)
            Printer.node_is_ending = True
            self._controller._shutdown_was_clean = False
            self._controller.shutdown()

    def worker_gone(self, result: Any, process: Any) -> Any:
        """A worker process has ended; ``result`` is handed on to Crossbar."""
        if self._is_ending:
            return result
        worker = next(worker for worker in self._config["workers"] if worker["id"] == process.id)
        if worker["type"] == "router":
            self._fail("the router process is gone, and the node ends")
        elif not self._booted:
            self._fail(f"the node cannot start: the process {process.id} ended while it was starting")
        else:
            self._start_again(worker, lived_s=_age_s(process))
        return result

    def _start_again(self, worker: dict[str, Any], lived_s: float) -> None:
        pause_s = FIRST_PAUSE_S if lived_s > WELL_S else self._pauses.get(worker["id"], FIRST_PAUSE_S)
        self._pauses[worker["id"]] = min(2 * pause_s, LONGEST_PAUSE_S)
        self._print.line("warn", f"the process {worker['id']} is gone; it starts again in {pause_s:g} s")
        self._reactor.callLater(pause_s, self._start_worker, worker)

    @defer.inlineCallbacks
    def _start_worker(self, worker: dict[str, Any]) -> Generator[Any, Any, None]:
        if self._is_ending:
            return
        try:
            options = worker.get("options", {})
            yield self._controller.call("crossbar.start_worker", worker["id"], worker["type"], options)
            yield self._configure_native_worker_container(worker["id"], worker["id"], worker)
        except Exception as error:
            # The process died while it was starting: worker_gone has seen that as well, and tries again.
            self._print.line("warn", f"the process {worker['id']} did not start: {_sentence(error)}")


class WorkerGone(Exception):
    """A worker process that ended while it was being configured."""


def _unless_gone(configured: Any, worker_id: str) -> Any:
    """Crossbar takes the call that a dying worker leaves unanswered for a start that went well."""

    def gone(failure: Any) -> None:
        if failure.check(ApplicationError) and failure.value.error == ApplicationError.CANCELED:
            raise WorkerGone(f"the process {worker_id} ended while it was starting")
        failure.raiseException()

    return configured.addErrback(gone)


def _age_s(process: Any) -> float:
    connected = process.connected
    return (type(connected).utcnow() - connected).total_seconds() if connected else 0.0


def _sentence(error: Exception) -> str:
    """Crossbar's errors have paragraphs with tracebacks in them: what they begin and what they end with."""
    text = str(error.args[0]) if error.args else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return ": ".join(dict.fromkeys((lines[0], lines[-1])))
