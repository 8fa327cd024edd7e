"""
The operator's port, in the router process, apart from the public port: ``/health``, ``/ready``, ``/metrics``,
``/status``, ``/api``.
"""

import json
import socket
from dataclasses import dataclass
from typing import Any

from twisted.internet import endpoints, reactor, task
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import Request

from stork_components.api import Api
from stork_components.api.resource import ApiResource
from stork_components.drain import Drain
from stork_components.guard import Guard
from stork_components.metrics import Metrics
from stork_components.pages.status_page import StatusPage
from stork_components.relay import Relay
from stork_crossbar import registry
from stork_crossbar.component import Component, end_worker
from stork_crossbar.http import refusals
from stork_crossbar.http.bounded_site import BoundedSite
from stork_crossbar.http.foreign_pages import check_page
from stork_crossbar.http.rules import Rules
from stork_crossbar.internals import broadcasting
from stork_crossbar.opening.bounded_connections import BoundedConnections
from stork_crossbar.opening.entrance import entrance
from stork_node.config.settings import endpoint, names, setting
from stork_node.http import hosts
from stork_node.http.heads import Head, Refusal
from stork_node.metrics.health import HOPELESS_AFTER_S, Health, NodeState, judge
from stork_node.protocol import uris
from stork_node.transport.endpoints import Endpoint

_WATCH_S = 1.0
MAX_CONNECTIONS = 32
"""
Maximum at a time: above it the connection that has been silent for longest is closed. They use descriptors of the
reserve.
"""


@dataclass(frozen=True)
class OperatorPortSettings:
    """
    ``extra`` of the operator's port.

    ``listen`` is its address. ``transports`` are the ids of the transports in config.json that must listen for the node
    to be ready (ignored under stock Crossbar). ``hosts`` are the host names that it answers to, beside addresses, the
    loopback's names and this machine's own.
    """

    listen: str = setting(endpoint, "tcp://127.0.0.1:8081")
    transports: tuple[str, ...] = setting(names, ("public",))
    hosts: tuple[str, ...] = setting(hosts.names, ())


class OperatorPort(Component):
    Settings = OperatorPortSettings
    settings: OperatorPortSettings

    async def start(self) -> None:
        self._started_at = reactor.seconds()
        root = _Root()
        root.putChild(b"health", _Json(lambda: (200, {"status": "alive"})))
        root.putChild(b"ready", _Json(self._ready))
        root.putChild(b"metrics", Metrics(self, self.health))
        root.putChild(b"status", StatusPage())
        root.putChild(b"api", ApiResource(lambda: registry.find(Api)))
        listen = Endpoint.parse(self.settings.listen)
        interface = "" if listen.host == "*" else listen.host
        listening = endpoints.TCP6ServerEndpoint if ":" in interface else endpoints.TCP4ServerEndpoint
        self._known_hosts = {*self.settings.hosts, interface.lower(), socket.gethostname().lower()}
        connections = BoundedConnections(MAX_CONNECTIONS, _end)
        rules = Rules(check=self._check, entered=connections.enter, asked=connections.ask, left=connections.leave)
        await listening(reactor, listen.port, interface=interface).listen(BoundedSite(root, rules))
        self._watching = task.LoopingCall(self._watch)
        self._watching.start(_WATCH_S, now=False)

    def _check(self, head: Head) -> Refusal | None:
        return self._check_host(head) or check_page(head)

    def _check_host(self, head: Head) -> Refusal | None:
        """
        Refuse unknown host names: a web page can reach a loopback port by a name of its own, but not by one of these.
        """
        host = head.value(b"host").decode("latin-1")
        has_none = not any(name == b"host" for name, _ in head.headers)
        if has_none or hosts.is_known(host, self._known_hosts):
            return None
        sentence = f"the operator's port does not answer to the host {host[:80]!a}: STORK_OPERATOR_HOSTS names others"
        refusals.say("host", sentence)
        return Refusal(421, sentence, "host")

    def _watch(self) -> None:
        """
        A relay that is stuck for good delivers nothing: end the process, so that an orchestrator starts the node again.
        """
        relay = registry.find(Relay)
        if relay and reactor.seconds() - relay.health.probed_at > HOPELESS_AFTER_S:
            end_worker(f"the relay is stuck: its own probe did not come back for {HOPELESS_AFTER_S:g} s")

    def _ready(self) -> tuple[int, dict[str, Any]]:
        health = self.health()
        return health.http_status, health.as_json()

    def health(self) -> Health:
        """The current answer of ``/ready``."""
        now = reactor.seconds()
        guard, relay, drain = registry.find(Guard), registry.find(Relay), registry.find(Drain)
        return judge(
            NodeState(
                closed_ports=self._closed_ports(),
                missing_procedures=guard.missing() if guard else (uris.GUARD_AUTH,),
                frame_age_s=now - (relay.health.heard_at if relay else self._started_at),
                probe_age_s=now - (relay.health.probed_at if relay else self._started_at),
                epoch=relay.epoch if relay else "",
                is_draining=bool(drain and drain.is_draining),
                has_caught_up=bool(relay and relay.is_ready),
                is_full=entrance.is_full,
                engine_trouble=relay.health.engine_trouble if relay else "",
                server_trouble=relay.health.server_trouble if relay else "",
                relay_trouble=relay.health.trouble if relay else "the relay has not started",
            )
        )

    def _closed_ports(self) -> tuple[str, ...]:
        controller = self.config.controller
        if controller is None:
            return ()
        return tuple(name for name in self.settings.transports if name not in controller.transports)


def _end(channel: Any) -> None:
    if (descriptor := broadcasting.descriptor(channel)) is not None:
        broadcasting.end(descriptor)


class _Root(Resource):
    def getChild(self, _path: bytes, _request: Request) -> Resource:
        return notFound()


class _Json(Resource):
    """A page of JSON; ``answer`` returns its HTTP status and its object."""

    isLeaf = True

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Request) -> bytes:
        status, page = self._answer()
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        return json.dumps(page).encode() + b"\n"
