"""The worker processes: their logs, and the session class of the router."""

import os
import time
from typing import Any, ClassVar

from autobahn import wamp
from crossbar.node import worker as processes
from crossbar.worker.container import ContainerController as CrossbarContainerController
from crossbar.worker.router import RouterController as CrossbarRouterController
from twisted.internet import defer, reactor, task

from stork_crossbar.connections.bounds import keep_in_bounds
from stork_crossbar.connections.closing import RESTARTING, close_transport
from stork_crossbar.connections.gated import install_gate
from stork_crossbar.opening.entering import watch_entrance
from stork_crossbar.opening.universal import tell_clients_apart
from stork_crossbar.opening.websocket_fast_path import read_http_here
from stork_crossbar.opening.websockets import check_handshakes
from stork_crossbar.personality.logs import begin_log
from stork_crossbar.personality.patches import PATCHES, apply_patches
from stork_crossbar.personality.router import StorkRouterFactory
from stork_crossbar.personality.session import StorkSession
from stork_node.errors import ConfigError
from stork_node.gc_tuning import freeze_startup_objects
from stork_node.logs.log_lines import LogSettings, Printer
from stork_node.logs.log_writer import BURST_LINES, LINES_PER_S, Allowance
from stork_node.logs.process_log import writer_of
from stork_node.logs.worker_output import OutputReader
from stork_node.recursion import limit_recursion

# Level and logger of text on a worker's file descriptors: it counts as output of the application.
_WRITTEN = {1: ("info", "stdout"), 2: ("error", "stderr")}
# A worker itself logs fewer lines; more lines are output of a program.
_WORKERS_LINES = 2.0 * BURST_LINES, 2 * LINES_PER_S
_RETIRE_TIMEOUT_S = 3.0
# The time for close frames to leave before the process ends.
_FLUSH_S = 0.3


def _begin(serves_clients: bool) -> None:
    limit_recursion()
    begin_log(serves_clients)


class RouterController(CrossbarRouterController):
    """The controller of the router process."""

    router_factory_class = StorkRouterFactory

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _begin(serves_clients=True)
        install_gate()
        read_http_here()
        tell_clients_apart()
        watch_entrance()
        check_handshakes()
        keep_in_bounds(reactor)
        apply_patches(PATCHES)
        super().__init__(*args, **kwargs)
        self._router_session_factory.session = StorkSession

    @wamp.register(None)
    def start_router_transport(
        self, transport_id: str, config: dict[str, Any], create_paths: bool = False, details: Any = None
    ) -> Any:
        # Before the port opens: Crossbar adds the paths in later calls, and until then the port would answer 404.
        freeze_startup_objects()
        return super().start_router_transport(transport_id, config, create_paths, details)

    @wamp.register(None)
    async def stork_drain(self, details: Any = None) -> None:
        """Close all clients, as the drain of config.json says; at once if there is none."""
        from stork_crossbar import registry
        from stork_crossbar.roles import Drainer

        drain = registry.find(Drainer)
        if drain:
            await drain.drain()
            return
        for router in self._router_factory._routers.values():
            for session in list(router._session_id_to_session.values()):
                close_transport(session._transport, RESTARTING, "the node restarts")
        await task.deferLater(self._reactor, _FLUSH_S, lambda: None)

    @wamp.register(None)
    def stork_reload_keys(self, classname: str, extra: dict[str, Any], details: Any = None) -> str:
        """Give the keys of a changed ``extra`` to a component; returns why they cannot be used, or an empty string."""
        from stork_crossbar import registry
        from stork_crossbar.roles import KeyHolder

        holder = registry.named(classname)
        try:
            if isinstance(holder, KeyHolder):
                holder.reload(extra)
        except ConfigError as error:
            return str(error)
        return ""


class ContainerController(CrossbarContainerController):
    """The controller of the application process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _begin(serves_clients=False)
        super().__init__(*args, **kwargs)

    @wamp.register(None)
    def stork_sessions(self, details: Any = None) -> list[int]:
        """The session ids of its components."""
        from stork_crossbar import registry

        return registry.session_ids()

    @wamp.register(None)
    def stork_succeed(self, session_ids: list[int], details: Any = None) -> None:
        """This process replaces the one that has these sessions."""
        from stork_crossbar import registry

        registry.follow_on(session_ids)

    @wamp.register(None)
    async def stork_retire(self, details: Any = None) -> None:
        """Take no more calls, and finish the open ones."""
        from stork_crossbar import registry

        retired = defer.ensureDeferred(registry.retire())
        # A hung router does not answer.
        await retired.addTimeout(_RETIRE_TIMEOUT_S, self._reactor).addErrback(lambda _: None)
        await registry.finish()

    @wamp.register(None)
    @defer.inlineCallbacks
    def shutdown(self, details: Any = None) -> Any:
        """On SIGTERM. Crossbar's own method would close the components' sessions before their answers are sent."""
        yield defer.ensureDeferred(self.stork_retire())
        yield super().shutdown()


class _Process:
    """
    A worker process, for the controller: prints its log, and tells the node when it has ended.

    Crossbar's own ``log`` loses a record after other text, and all records after a byte that is not UTF-8.
    """

    log_name: ClassVar[str]
    connected_at: float | None = None  # by time.monotonic; Crossbar's own date follows the wall clock

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        process: Any = self
        settings = LogSettings.read(os.environ)
        writer = writer_of(self.log_name, settings.renders(self.log_name), Allowance(*_WORKERS_LINES))
        self._logger = Printer(settings, writer)
        self._readers = {number: OutputReader() for number in _WRITTEN}
        process.exit.addBoth(process._controller._node.worker_gone, self)

    def on_worker_connected(self, proto: Any) -> None:
        self.connected_at = time.monotonic()
        parent: Any = super()
        parent.on_worker_connected(proto)

    def log(self, number: int, data: bytes) -> None:
        """Handle text that was written to a file descriptor."""
        if not self._logger.has_room:
            self._logger.count_left_out(self._readers[number].skip(data))
            return
        for found in self._readers[number].feed(data):
            if isinstance(found, str):
                self._print_raw(number, found)
            else:
                self._print_record(found)

    def _dump_remaining_log(self, result: Any) -> Any:
        for number, reader in self._readers.items():
            for line in reader.end():
                self._print_raw(number, line)
        return result

    def _print_record(self, record: dict[str, Any]) -> None:
        level, text = record["level"], record["text"]
        self._logger.emit(level, text, namespace=record.get("namespace"), fields=record.get("fields"))

    def _print_raw(self, number: int, line: str) -> None:
        level, logger = _WRITTEN[number]
        self._logger.line(level, line, logger)


class RouterProcess(_Process, processes.RouterWorkerProcess):
    log_name = "router"


class ContainerProcess(_Process, processes.ContainerWorkerProcess):
    log_name = "app"
