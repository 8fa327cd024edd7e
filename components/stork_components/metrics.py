"""``/metrics`` of the operator's port: the figures of all parts of the node, for Prometheus."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from twisted.internet import defer, reactor
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from stork_components.api import Api
from stork_components.guard import Guard
from stork_components.pages.waiting_requests import WaitingRequests
from stork_components.pusher import Pusher
from stork_components.relay import Relay
from stork_crossbar import registry
from stork_crossbar.limits import client_limits, insiders
from stork_node.http.counters import HttpCounters
from stork_node.metrics.exposition import build_family, families
from stork_node.metrics.health import Health
from stork_node.metrics.node_figures import ApplicationFigures, NodeFigures
from stork_node.metrics.process_figures import read_processes
from stork_node.metrics.publish_server_metrics import publish_server_families
from stork_node.process_state import singleton
from stork_node.protocol import uris

# A hung application process must not hide the other figures.
_APPLICATION_TIMEOUT_S = 1.0
# A page takes some 4 ms of the router. This bounds their number; requests that come meanwhile get the same page.
_PAUSE_S = 0.05


class Metrics(Resource):
    """
    Args:
        component: calls the application process, and gives access to the router.
        health: returns the answer of ``/ready``.
    """

    isLeaf = True
    log = Logger()

    def __init__(self, component: Any, health: Callable[[], Health]) -> None:
        super().__init__()
        self._component, self._health = component, health
        self._not_before = 0.0
        # Requests that came while the application was asked: they get the next page.
        self._waiting = WaitingRequests()

    def render_GET(self, request: Request) -> Any:
        if self._waiting.add(request):
            reactor.callLater(max(0.0, self._not_before - reactor.seconds()), self._begin)
        return NOT_DONE_YET

    def _begin(self) -> None:
        self._ask_application().addCallback(self._answer_all)

    def _ask_application(self) -> "defer.Deferred[Any]":
        asked: defer.Deferred[Any] = self._component.call(uris.APP_FIGURES)
        asked.addTimeout(_APPLICATION_TIMEOUT_S, reactor)
        return asked.addErrback(lambda _: None)  # not there now: the page has no figures of it

    def _answer_all(self, application: dict[str, Any] | None) -> None:
        waiting = self._waiting.take()
        self._not_before = reactor.seconds() + _PAUSE_S
        pages: dict[str, bytes] = {}
        try:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Collector(list(self._collect(application))))
            for request in waiting:
                self._answer(request, registry, pages)
        except Exception:
            self.log.failure("/metrics failed")
            for request in waiting:
                if not request.finished:
                    request.setResponseCode(500)
                    request.finish()

    def _answer(self, request: Request, registry: CollectorRegistry, pages: dict[str, bytes]) -> None:
        encode, content_type = choose_encoder((request.getHeader(b"accept") or b"").decode("latin-1"))
        if content_type not in pages:
            pages[content_type] = encode(registry)
        request.setHeader(b"content-type", content_type.encode())
        request.setHeader(b"cache-control", b"no-store")
        request.write(pages[content_type])
        request.finish()

    def _collect(self, application: dict[str, Any] | None) -> Iterator[Metric]:
        yield build_family()
        health = self._health()
        sessions, subscriptions = insiders.census(self._component)
        node = NodeFigures(int(health.http_status == 200), int(health.status == "degraded"), sessions, subscriptions)
        yield from families("stork", node)
        yield from families("stork_http", singleton(HttpCounters))
        yield from families("stork", client_limits.bounds().counters)
        guard, relay, api = registry.find(Guard), registry.find(Relay), registry.find(Api)
        if api:
            yield from families("stork_api", api.counters)
        if pusher := registry.find(Pusher):
            yield from families("stork_pusher", pusher.counters)
            yield from families("stork_pusher", pusher.sockets.figures)
        if guard:
            yield from families("stork_guard", guard.counters)
            yield from families("stork_guard", guard.state())
        if relay:
            yield from families("stork_relay", relay.counters)
            yield from families("stork_relay", relay.state())
            yield from families("stork_presence", relay.presence.figures())
            yield from families("stork_broadcast", relay.broadcast_counters)
            yield from publish_server_families(relay.server_counters)
        processes = {"router": os.getpid(), "controller": os.getppid()}
        if application:
            processes["app"] = application["pid"]
            yield from families("stork_app", ApplicationFigures.from_json(application["user_code_seconds"]))
        yield from families("stork_process", read_processes(processes))


class _Collector:
    """Gives its metrics to the registry; made for one answer."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
