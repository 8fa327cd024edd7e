"""A site of the node itself, without Crossbar: its connections are ``HttpChannel``."""

from typing import Any

from twisted.web.server import Site

from stork_crossbar.http.channel import HttpChannel
from stork_crossbar.http.request import ShortRequest
from stork_crossbar.http.rules import REQUEST_TIMEOUT_S, Rules


class BoundedSite(Site):
    requestFactory = ShortRequest
    noisy = False

    def __init__(self, resource: Any, rules: Rules) -> None:
        super().__init__(resource, timeout=REQUEST_TIMEOUT_S)
        self._rules = rules

    def buildProtocol(self, address: Any) -> Any:
        return HttpChannel(self, address, self._rules)

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def log(self, _request: Any) -> None:
        """Write no log line for a request."""
