"""The node's controller process: its configuration, its processes' deaths, their replacement, and its end."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from autobahn.util import parse_keyfile
from autobahn.wamp.cryptosign import CryptosignKey
from autobahn.wamp.exception import ApplicationError
from crossbar.common.checkconfig import NODE_SHUTDOWN_ON_SHUTDOWN_REQUESTED
from crossbar.common.key import _maybe_generate_node_key
from crossbar.node import node as crossbar_node
from twisted.internet import defer, task
from twisted.internet.error import ProcessExitedAlready
from xbr._secmod import SecurityModuleMemory

from stork_crossbar.compat import Incompatible
from stork_crossbar.personality.control import listen
from stork_crossbar.personality.reloading import Processes, ReloadRefused, has_application, reload_keys, replace
from stork_crossbar.personality.worker_ends import end_with_process
from stork_node.config import configuration, settings
from stork_node.config.drain import DrainSettings, extra_of
from stork_node.launcher.control import NoPlace, socket_path
from stork_node.logs.log_lines import LogSettings, NodeEnd, Printer
from stork_node.logs.process_log import take_over_stderr
from stork_node.process_state import singleton

# Pauses before the application process is started again, in seconds: the first soon, as a deploy may have killed it.
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
# A process that lived this long was well: the next pause is the first again.
WELL_S = 30.0
# A router that hangs does not hold up the end: beyond what the drain may take.
_DRAIN_MARGIN_S = 3.0
_LOOK_S = 0.05
# What an application gets to finish, to run its on_stop handlers, and to cancel what still runs.
_END_S = 15.0
# … and what it gets where the node has failed: it has no router any more, and an orchestrator waits for the end.
_FAILED_END_S = 0.5


class Node(crossbar_node.Node):
    """
    Ends with status 0 when it is asked to stop; with 1, within 2 s, when the router is gone, and when a worker fails at
    the node's start.

    An application process that dies later is started again, with growing pauses: browsers stay connected meanwhile.

    The first SIGTERM or SIGINT drains the node (``stork_components.drain``), which goes on healing and serving until
    its clients are gone; the second one ends it at once. ``stork reload`` comes by the control socket.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        log = LogSettings.read(os.environ)
        self._print = Printer(log, take_over_stderr("node", log))
        self._booted = self._draining = self._stopping = self._reloading = False
        self._routers_to_come: set[str] = set()
        self._waiting_for_routers: list[defer.Deferred[None]] = []
        self._pauses: dict[str, float] = {}
        self._awaiting_start: set[str] = set()
        self.processes = Processes()
        self._last_words: dict[str, str] = {}
        try:
            end_with_process(self._reactor)
        except (Incompatible, AttributeError) as error:
            self._print.line("warn", f"the end of a process is noticed late with this Crossbar and Twisted: {error}")

    def load_config(self, configfile: str | None = None, default: Any = None) -> tuple[int, str | None]:
        """Read ``config.json`` as ``configuration.load`` does; ``configfile`` is an absolute path."""
        if configfile is None:
            raise ValueError("a Stork node has no default configuration")
        self._folder = Path(configfile).parent
        self._config = configuration.load(self._folder, os.environ).crossbar
        self._drain_settings = settings.read(DrainSettings, extra_of(self._config["workers"]), os.environ)
        self.personality.check_config(self.personality, self._config)
        return self.CONFIG_SOURCE_LOCALFILE, configfile

    def load_keys(self, cbdir: str, privfile: str = "key.priv", pubfile: str = "key.pub") -> bool:
        """Crossbar's, but for the key for Ethereum, of which only the address is kept: its libraries load slowly."""
        was_new, _ = _maybe_generate_node_key(cbdir, privfile=privfile, pubfile=pubfile)
        tags = parse_keyfile(os.path.join(cbdir, privfile))
        own = CryptosignKey.from_bytes(bytes.fromhex(tags["private-key-ed25519"]))
        self._node_secmod = SecurityModuleMemory([_EthereumAddress(tags["public-adr-eth"]), own])
        return bool(was_new)

    def _extend_worker_args(self, args: list[str], options: Any) -> None:
        # The controller itself says errors only: what its workers do is told here, and their own lines are theirs.
        args[args.index("crossbar.worker.main")] = "stork_crossbar.processes.worker_process"
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
            self._listen_for_commands()
            self._print.line("info", "the node is ready")
        else:
            # Crossbar says READY to whoever supervises it (sd_notify) after this, whatever came of it.
            os.environ.pop("NOTIFY_SOCKET", None)

    @defer.inlineCallbacks
    def boot_from_config(self, config: dict[str, Any]) -> Generator[Any, Any, None]:
        """
        Start all processes at once, as each takes a second or more to import Crossbar; routers serve before containers.

        Crossbar's own parallel start leaves the failures that come after the first to the log, with tracebacks.
        """
        controller, workers = config.get("controller", {}), config.get("workers", [])
        if "manhole" in controller:
            yield self._controller.call("crossbar.start_manhole", controller["manhole"])
        for worker in workers:
            if "id" not in worker:
                worker["id"] = f"worker{self._worker_no:03d}"
                self._worker_no += 1
        enabled = [worker for worker in workers if not worker.get("options", {}).get("disabled", False)]
        self._routers_to_come.update(worker["id"] for worker in enabled if worker["type"] == "router")
        try:
            yield defer.gatherResults([self._start_first(worker) for worker in enabled], consumeErrors=True)
        except defer.FirstError as first:
            raise first.subFailure.value from None

    @defer.inlineCallbacks
    def _start_first(self, worker: dict[str, Any]) -> Generator[Any, Any, None]:
        if worker["type"] == "guest":
            yield self._controller.call("crossbar.start_worker", worker["id"], "guest", worker)
        else:
            yield self.start_process(worker, worker["id"])

    def _configure_native_worker_router(self, name: str, worker_id: str, worker: dict[str, Any]) -> Any:
        configured = _unless_gone(super()._configure_native_worker_router(name, worker_id, worker), worker_id)
        return configured.addCallback(lambda _: self._router_serves(worker_id))

    @defer.inlineCallbacks
    def _configure_native_worker_container(
        self, name: str, worker_id: str, worker: dict[str, Any]
    ) -> Generator[Any, Any, None]:
        if self._routers_to_come:
            waiting: defer.Deferred[None] = defer.Deferred()
            self._waiting_for_routers.append(waiting)
            yield waiting
        yield _unless_gone(super()._configure_native_worker_container(name, worker_id, worker), worker_id)

    def _router_serves(self, worker_id: str) -> None:
        self._routers_to_come.discard(worker_id)
        while self._waiting_for_routers and not self._routers_to_come:
            self._waiting_for_routers.pop().callback(None)

    # -- its end -------------------------------------------------------------------------------------------------------

    @property
    def _is_ending(self) -> bool:
        return bool(self._controller._shutdown_requested)

    def _take_over_signals(self) -> None:
        """Once the reactor runs, as it installs its own handlers when it starts."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._stop_asked))

    def _stop_asked(self) -> None:
        if self._draining or not self._booted:
            self._stop()
            if self._draining:
                self._kill_processes()
        self._draining = True
        if self._booted and not self._is_ending:
            drained = defer.gatherResults([self._call_worker(id, "stork_drain") for id in self._routers()])
            longest_s = self._drain_settings.longest_s + _DRAIN_MARGIN_S
            drained.addTimeout(longest_s, self._reactor).addErrback(lambda _: None)
            drained.addCallback(lambda _: defer.ensureDeferred(self._stop_in_order()))

    async def _stop_in_order(self) -> None:
        """The applications first, as they finish by way of the router."""
        self._stopping = True
        ends = [defer.ensureDeferred(self._end_application(worker)) for worker in self._applications()]
        await defer.gatherResults(ends)
        self._stop()

    async def _end_application(self, worker: dict[str, Any]) -> None:
        await self.end_process(self.processes.current(worker), kill=False, within_s=_END_S)

    def _stop(self) -> None:
        singleton(NodeEnd).has_begun = True
        self.stop()

    def _applications(self) -> list[dict[str, Any]]:
        return [worker for worker in self._config["workers"] if has_application(worker)]

    def _routers(self) -> list[str]:
        return [worker["id"] for worker in self._config["workers"] if worker["type"] == "router"]

    def _call_worker(self, process_id: str, procedure: str, *args: Any) -> Any:
        """Call a procedure of ``personality.workers``; None where it fails, as that process may be gone any time."""
        return self._controller.call(f"crossbar.worker.{process_id}.{procedure}", *args).addErrback(lambda _: None)

    def _fail(self, sentence: str) -> None:
        if not self._is_ending:
            self._print.line("error", sentence)
            singleton(NodeEnd).has_begun = True
            self._controller._shutdown_was_clean = False
            self._controller.shutdown()
            # Crossbar asks them to end, and would wait for 21 s.
            self._reactor.callLater(_FAILED_END_S, self._kill_processes)

    def _kill_processes(self) -> None:
        for process in list(self._controller._workers.values()):
            _signal(process, "KILL")

    # -- its processes -------------------------------------------------------------------------------------------------

    def worker_gone(self, result: Any, process: Any) -> Any:
        """A worker process has ended; ``result`` is handed on to Crossbar."""
        self._last_words[process.id] = process._logger.last_words
        counts = (worker for worker in self._config["workers"] if self.processes.current(worker) == process.id)
        worker = next(counts, None)
        if self._is_ending or worker is None or (self._stopping and worker["type"] != "router"):
            return result
        if worker["type"] == "router":
            self._fail("the router process is gone, and the node ends")
        elif not self._booted:
            self._fail(f"the node cannot start: the process {process.id} ended while it was starting")
        else:
            self._start_again(worker, process.id, lived_s=_age_s(process))
        return result

    def _start_again(self, worker: dict[str, Any], process_id: str, lived_s: float) -> None:
        if process_id in self._awaiting_start:
            return
        self._awaiting_start.add(process_id)
        pause_s = FIRST_PAUSE_S if lived_s > WELL_S else self._pauses.get(worker["id"], FIRST_PAUSE_S)
        self._pauses[worker["id"]] = min(2 * pause_s, LONGEST_PAUSE_S)
        self._print.line("warn", f"the process {process_id} is gone; it starts again in {pause_s:g} s")
        self._reactor.callLater(pause_s, self._start_worker, worker, process_id)

    @defer.inlineCallbacks
    def _start_worker(self, worker: dict[str, Any], process_id: str) -> Generator[Any, Any, None]:
        self._awaiting_start.discard(process_id)
        if self._gives_up(worker, process_id):
            return
        try:
            yield self.start_process(worker, process_id)
        except Exception as error:
            self._print.line("warn", f"the process {process_id} did not start: {_sentence(error)}")
            # One that dies before it has called back is told to nobody but who has started it, and not to worker_gone.
            if process_id not in self._controller._workers and not self._gives_up(worker, process_id):
                self._start_again(worker, process_id, lived_s=0.0)

    def _gives_up(self, worker: dict[str, Any], process_id: str) -> bool:
        """Whether the process is not wanted any more."""
        return self._is_ending or self._stopping or self.processes.current(worker) != process_id

    @defer.inlineCallbacks
    def start_process(self, worker: dict[str, Any], process_id: str, succeeds: str = "") -> Generator[Any, Any, None]:
        """Start a process, and what runs in it; the application process that it ``succeeds`` may stand in its way."""
        yield self._controller.call("crossbar.start_worker", process_id, worker["type"], worker.get("options", {}))
        if succeeds:
            sessions = yield self._call_worker(succeeds, "stork_sessions")
            yield self._call_worker(process_id, "stork_succeed", sessions or [])
        configure = getattr(self, f"_configure_native_worker_{worker['type'].replace('-', '_')}")
        yield configure(process_id, process_id, worker)

    def last_words(self, process_id: str) -> str:
        """What a process that has ended said of the reason; empty where it said nothing."""
        return self._last_words.pop(process_id, "")

    async def retire(self, process_id: str) -> None:
        """Let an application process take nothing more, and finish what it has begun."""
        await self._call_worker(process_id, "stork_retire")

    async def end_process(self, process_id: str, *, kill: bool, within_s: float) -> None:
        """End an application process, and wait for its end, so long at most; at once where it is gone already."""
        process = self._controller._workers.get(process_id)
        if process:
            process._logger.is_ending = True
            _signal(process, "KILL" if kill else "TERM")
        give_up_at = self._reactor.seconds() + within_s
        while process_id in self._controller._workers and self._reactor.seconds() < give_up_at:
            await task.deferLater(self._reactor, _LOOK_S, lambda: None)

    # -- stork reload --------------------------------------------------------------------------------------------------

    def _listen_for_commands(self) -> None:
        try:
            listen(self._reactor, socket_path(self._folder, os.environ, os.getpid()), self._reload)
        except (NoPlace, OSError) as error:
            self._print.line("warn", f"stork reload will not find this node: {error}")

    async def reload_keys(self, router_id: str, classname: str, extra: dict[str, Any]) -> str:
        """Give keys to a component of a router; returns the problem, or an empty string."""
        return str(await self._call_worker(router_id, "stork_reload_keys", classname, extra) or "")

    async def _reload(self, say: Callable[[str], None]) -> str:
        if self._draining or self._is_ending or self._reloading:
            raise ReloadRefused("another reload is under way" if self._reloading else "the node is stopping")
        applications = self._applications()
        has_keys = await reload_keys(self, self._folder, say)
        if not applications and has_keys:
            return "the node has the new keys"
        if not applications:
            raise ReloadRefused("no application runs in a container of config.json: restart the node")
        self._reloading = True
        try:
            for worker in applications:
                await replace(self, worker, say)
        except ReloadRefused as error:
            self._print.line("error", f"the new application was refused: {error}")
            raise
        finally:
            self._reloading = False
        self._print.line("info", "the application was reloaded")
        return "the new application runs"


class _EthereumAddress:
    """The key for Ethereum, as far as a node's status tells it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def address(self, binary: bool = False) -> str | bytes:
        return bytes.fromhex(self._address.removeprefix("0x")) if binary else self._address


class WorkerGone(Exception):
    """A worker process that ended while it was being configured."""


def _unless_gone(configured: Any, worker_id: str) -> Any:
    """Crossbar takes the call that a dying worker leaves unanswered for a start that went well."""

    def gone(failure: Any) -> None:
        if failure.check(ApplicationError) and failure.value.error == ApplicationError.CANCELED:
            raise WorkerGone(f"the process {worker_id} ended while it was starting")
        failure.raiseException()

    return configured.addErrback(gone)


def _signal(process: Any, name: str) -> None:
    with contextlib.suppress(ProcessExitedAlready, AttributeError):  # it is gone, or was never started
        process.proto.transport.signalProcess(name)


def _age_s(process: Any) -> float:
    return time.monotonic() - process.connected_at if process.connected_at else 0.0


def _sentence(error: Exception) -> str:
    """Crossbar's errors have paragraphs with tracebacks in them: what they begin and what they end with."""
    text = str(error.args[0]) if error.args else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return ": ".join(dict.fromkeys((lines[0], lines[-1])))
