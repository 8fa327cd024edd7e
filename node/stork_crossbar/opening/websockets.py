"""
Checks the opening handshakes of WebSockets: origins, and the text of refusals.

autobahn's own check of origins is off: it wants a port in each origin, and does not know the request's own host.
"""

import re
from http import HTTPStatus
from typing import Any

import autobahn.websocket.protocol as autobahn_protocol
import crossbar.router.protocol as crossbar_protocol
from crossbar.router.protocol import WampWebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.interfaces import ISSLTransport

from stork_crossbar.compat import require_signature
from stork_crossbar.http import refusals
from stork_crossbar.http.ending import FAREWELL_S
from stork_crossbar.internals.deadlines import Deadlines
from stork_crossbar.opening import handshake
from stork_node.http.heads import MAX_HEAD_BYTES
from stork_node.http.origins import origins

_END = b"\r\n\r\n"
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_LONGEST_PHRASE = 120

_farewells = Deadlines(reactor, FAREWELL_S)


def check_handshakes() -> None:
    """
    Check the opening handshakes in this process.

    Raises:
        Incompatible: that is impossible. A node that accepts every page must not start.
    """
    ordinary = WampWebSocketServerProtocol.processHandshake
    set_options = crossbar_protocol.set_websocket_options
    require_signature(ordinary, "self")
    require_signature(WampWebSocketServerProtocol.failHandshake, "self", "reason", "code", "responseHeaders")
    require_signature(WampWebSocketServerProtocol.dropConnection, "self", "abort")
    require_signature(autobahn_protocol._url_to_origin, "url")
    require_signature(set_options, "factory", "options")

    def process(protocol: Any) -> None:
        end = protocol.data.find(_END)
        if end < 0:
            if len(protocol.data) > MAX_HEAD_BYTES:
                protocol.failHandshake("the request is too large", 431)
            return
        refusal = _refusal(protocol, bytes(protocol.data[: end + len(_END)]))
        if refusal is None:
            ordinary(protocol)
        else:
            _answer(protocol, 403, HTTPStatus.FORBIDDEN.phrase, refusal)

    def keep_origins(factory: Any, options: dict[str, Any]) -> None:
        if factory.isServer:
            null = ["null"] if options.get("allow_null_origin") is True else []
            factory.origins = origins([*options.get("allowed_origins", []), *null])
            # autobahn's page shows versions and processes.
            options = {"enable_webstatus": False, **options}
        own = {name: value for name, value in options.items() if name not in ("allowed_origins", "allow_null_origin")}
        set_options(factory, own)

    WampWebSocketServerProtocol.processHandshake = process
    WampWebSocketServerProtocol.failHandshake = fail_handshake
    crossbar_protocol.set_websocket_options = keep_origins
    autobahn_protocol._url_to_origin = lambda _url: "null"


def _refusal(protocol: Any, request: bytes) -> str | None:
    is_secure = ISSLTransport(protocol.transport, None) is not None
    return handshake.refuse_origin(request, protocol.peer, protocol.factory.origins, is_secure=is_secure)


def fail_handshake(protocol: Any, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
    """
    In place of autobahn's method, which logs a line for each refusal, and waits for ever if the client does not close.
    """
    refusals.count("bad_request")
    phrase = _UNPRINTABLE.sub("?", reason)[:_LONGEST_PHRASE]
    _answer(protocol, code, phrase, phrase, responseHeaders or ())


def _answer(protocol: Any, code: int, phrase: str, text: str, headers: Any = ()) -> None:
    body = text + "\n"
    lines = [
        f"HTTP/1.1 {code} {phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body.encode())}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    protocol.sendData("\r\n".join([*lines, "", body]).encode())
    transport = protocol.transport
    protocol.wasClean = True  # autobahn logs all unclean ends
    protocol.dropConnection(abort=False)
    _farewells.set(transport.abortConnection)
