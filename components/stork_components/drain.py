"""The drain, in the router process: closes the clients' connections when the node is asked to stop."""

from typing import Any

from twisted.internet import defer, reactor, task

from stork_components.pusher import Pusher
from stork_crossbar import registry
from stork_crossbar.connections.closing import RESTARTING
from stork_crossbar.limits.insiders import clients_of, tcp_transports
from stork_crossbar.roles import Drainer
from stork_node.config.drain import DrainSettings, schedule

# The interval in which open calls are counted.
_LOOK_S = 0.05
# Pusher clients come back at once, and have no jitter of their own.
_PUSHER_CLIENTS_PER_S = 1_000
_LONGEST_PACE_S = 3.0


class Drain(Drainer):
    """
    Makes ``/ready`` fail, waits for the balancer, closes the clients one after the other, and waits for open calls.
    ``is_draining`` is true from the first moment on.
    """

    Settings = DrainSettings
    settings: DrainSettings

    async def start(self) -> None:
        self.is_draining = False

    async def drain(self) -> None:
        """Returns when all clients are gone, or ``settings.longest_s`` is over."""
        self.is_draining = True
        self.log.info("draining: {clients} clients", clients=len(self._clients()))
        await _sleep(self.settings.wait_s)
        # From now on new clients are refused, and try again: on another node, or on this one after its restart.
        await self._stop_listening()
        give_up_at = reactor.seconds() + self.settings.spread_s + self.settings.finish_s
        await defer.gatherResults(
            [task.deferLater(reactor, in_s, self._let_go, client, give_up_at) for in_s, client in self._schedule()]
        )
        # Clients that were joining when the ports closed.
        for client in self._clients():
            client.close(RESTARTING, "the node restarts")
        # Clients read earlier data before they answer the close, or until their time is over.
        while any(client.is_connected for client in self._clients()) and reactor.seconds() < give_up_at:
            await _sleep(_LOOK_S)

    def _schedule(self) -> list[tuple[float, Any]]:
        pusher = self._pusher_clients()
        pace_s = min(len(pusher) / _PUSHER_CLIENTS_PER_S, _LONGEST_PACE_S)
        spread_s = self.settings.spread_s
        return [*schedule(pusher, max(spread_s, pace_s)), *schedule(clients_of(self), spread_s)]

    def _pusher_clients(self) -> list[Any]:
        pusher = registry.find(Pusher)
        return list(pusher.sockets.clients()) if pusher else []

    def _clients(self) -> list[Any]:
        return [*self._pusher_clients(), *clients_of(self)]

    def _let_go(self, client: Any, give_up_at: float) -> "defer.Deferred[None]":
        return defer.ensureDeferred(self._close_when_answered(client, give_up_at))

    async def _close_when_answered(self, client: Any, give_up_at: float) -> None:
        while client.is_connected and client.has_calls_in_flight and reactor.seconds() < give_up_at:
            await _sleep(_LOOK_S)
        if client.is_connected:
            client.close(RESTARTING, "the node restarts")

    async def _stop_listening(self) -> None:
        controller = self.config.controller
        for name in tcp_transports(controller) if controller else ():
            await controller.stop_router_transport(name)


def _sleep(time_s: float) -> "defer.Deferred[Any]":
    return task.deferLater(reactor, time_s, lambda: None)
