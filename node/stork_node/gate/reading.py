"""Reads a client's message: from its bytes to the message that Crossbar gets."""

from collections.abc import Callable, Mapping
from typing import Any

from stork_node.config.limits import ClientLimits
from stork_node.gate.bounds import Bounds
from stork_node.gate.cbor import read_cbor
from stork_node.gate.json_text import read_json
from stork_node.gate.msgpack import read_msgpack
from stork_node.gate.options import SenderKind, pass_options

SERIALIZERS: Mapping[str, Callable[[bytes, Bounds], Any]] = {
    "json": read_json,
    "msgpack": read_msgpack,
    "cbor": read_cbor,
}
"""The serializers that the gate reads, by WAMP's names. Clients are offered no others, and no batches."""


# For backends, which the operator trusts. The transport's ``max_message_size`` is a bound, too.
_BACKENDS_BYTES, _BACKENDS_ELEMENTS = 16 * 1024 * 1024, 4_000_000


class Gate:
    """Reads messages within the limits of each kind of sender."""

    def __init__(self, limits: ClientLimits) -> None:
        self._bounds = {
            SenderKind.STRANGER: Bounds(limits.handshake_bytes, limits.handshake_elements),
            SenderKind.VISITOR: Bounds(limits.message_bytes, limits.message_elements),
            SenderKind.BACKEND: Bounds(_BACKENDS_BYTES, _BACKENDS_ELEMENTS, is_finite=False),
        }

    def max_bytes(self, sender: SenderKind) -> int:
        """The maximum size of one message of this sender."""
        return self._bounds[sender].max_bytes

    def read(self, message: bytes, serializer: str, sender: SenderKind) -> list[Any]:
        """
        Args:
            serializer: one of ``SERIALIZERS``.

        Raises:
            Unreadable: the message must not go on; its text says why.
        """
        return pass_options(SERIALIZERS[serializer](message, self._bounds[sender]), sender)
