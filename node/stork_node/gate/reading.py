"""A client's message, from its bytes to what may go on to Crossbar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.gate.bounds import Bounds
from stork_node.gate.cbor import read_cbor
from stork_node.gate.json_text import read_json
from stork_node.gate.msgpack import read_msgpack
from stork_node.gate.options import Sender, pass_options
from stork_node.settings import count, setting

SERIALIZERS: Mapping[str, Callable[[bytes, Bounds], Any]] = {
    "json": read_json,
    "msgpack": read_msgpack,
    "cbor": read_cbor,
}
"""Those that the gate reads, by WAMP's names; no others are offered to clients, and none in batches."""


@dataclass(frozen=True)
class MessageLimits:
    """
    How large a message may be, in bytes, and of how many elements (values, keys, lists, maps) it may be.

    ``handshake``: before joining. ``message``: of a visitor. A backend's are bounded by the transport's
    ``max_message_size``.
    """

    handshake_bytes: int = setting(count, 64 * 1024)
    handshake_elements: int = setting(count, 1_000)
    message_bytes: int = setting(count, 256 * 1024)
    message_elements: int = setting(count, 20_000)


DEFAULT_LIMITS = MessageLimits()

_BACKENDS_BYTES, _BACKENDS_ELEMENTS = 16 * 1024 * 1024, 4_000_000


class Gate:
    """What each kind of sender may send."""

    def __init__(self, limits: MessageLimits) -> None:
        self._bounds = {
            Sender.STRANGER: Bounds(limits.handshake_bytes, limits.handshake_elements),
            Sender.VISITOR: Bounds(limits.message_bytes, limits.message_elements),
            Sender.BACKEND: Bounds(_BACKENDS_BYTES, _BACKENDS_ELEMENTS, is_finite=False),
        }

    def max_bytes(self, sender: Sender) -> int:
        """The most that one message of this sender may have."""
        return self._bounds[sender].max_bytes

    def read(self, message: bytes, serializer: str, sender: Sender) -> list[Any]:
        """
        Args:
            serializer: one of ``SERIALIZERS``.

        Raises:
            Unreadable: the message must go no further; its text says why.
        """
        return pass_options(SERIALIZERS[serializer](message, self._bounds[sender]), sender)
