"""
The WAMP messages that a client may send, and the options in them that pass.

Crossbar believes some options that are meant for links between routers: with ``forward_for`` and ``caller`` a session
could speak for another one. So a list names the options that pass, and all others are dropped, as WAMP does it with
unknown options. An option that is null counts as missing.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from stork_node.gate.bounds import Unreadable


class SenderKind(Enum):
    """
    The kind of sender: a client that has not joined, a visitor of the application, or a backend of the deployment.
    """

    STRANGER = "client that has not joined"
    VISITOR = "visitor"
    BACKEND = "backend"


class NotExpected(Unreadable):
    """A WAMP message that this kind of sender never sends."""


_HELLO, _ABORT, _AUTHENTICATE, _GOODBYE = 1, 3, 5, 6

# By message type: the index of its options, the options for all, and the options for backends only.
_ENCRYPTION = ("enc_algo", "enc_key", "enc_serializer")
_LISTS = ("exclude", "exclude_authid", "exclude_authrole", "eligible", "eligible_authid", "eligible_authrole")
_JOINING: dict[int, tuple[int, frozenset[str]]] = {
    _HELLO: (2, frozenset(["roles", "authmethods", "authid", "authextra"])),
    _ABORT: (1, frozenset(["message"])),
    _AUTHENTICATE: (2, frozenset()),
    _GOODBYE: (1, frozenset(["message"])),
}
_JOINED: dict[int, tuple[int, frozenset[str], frozenset[str]]] = {
    _GOODBYE: (1, frozenset(["message"]), frozenset()),
    8: (3, frozenset(), frozenset(_ENCRYPTION)),  # ERROR
    16: (2, frozenset(["acknowledge", "exclude_me", *_LISTS]), frozenset(["retain", "transaction_hash", *_ENCRYPTION])),
    32: (2, frozenset(["match", "get_retained"]), frozenset()),  # SUBSCRIBE
    34: (3, frozenset(), frozenset()),  # UNSUBSCRIBE
    48: (2, frozenset(["receive_progress", "timeout"]), frozenset(["transaction_hash", *_ENCRYPTION])),  # CALL
    49: (2, frozenset(["mode"]), frozenset()),  # CANCEL
    64: (2, frozenset(["match", "invoke", "concurrency"]), frozenset(["force_reregister"])),  # REGISTER
    66: (3, frozenset(), frozenset()),  # UNREGISTER
    70: (2, frozenset(["progress"]), frozenset(_ENCRYPTION)),  # YIELD
}
_BACKENDS = {number: (place, visitors | backends) for number, (place, visitors, backends) in _JOINED.items()}
_VISITORS = {number: (place, visitors) for number, (place, visitors, _) in _JOINED.items()}
_PASSING = {SenderKind.STRANGER: _JOINING, SenderKind.VISITOR: _VISITORS, SenderKind.BACKEND: _BACKENDS}

# These prefixes switch on features between Crossbar and its own clients; a client's own data has others.
_INTERNAL_FEATURES = ("x_", "_", "payload_")
_LONGEST_TIMEOUT_MS = 86_400_000


def pass_options(message: Any, sender: SenderKind) -> list[Any]:
    """
    Remove the options of a message that its sender may not use.

    Args:
        message: the decoded message.

    Returns:
        The message with the allowed options.

    Raises:
        NotExpected: a message that this sender never sends.
        Unreadable: no WAMP message.
    """
    if not isinstance(message, list) or not message or type(message[0]) is not int:
        raise Unreadable("it is no WAMP message")
    if message[0] not in _PASSING[sender]:
        raise NotExpected(f"a {sender.value} sends no message of type {message[0]}")
    place, passing = _PASSING[sender][message[0]]
    if len(message) <= place:
        return message
    options = {} if message[place] is None else message[place]
    if not isinstance(options, dict):
        raise Unreadable("its options are no map")
    passed = {name: value for name, value in options.items() if name in passing and value is not None}
    if message[0] == _HELLO and "roles" in passed:
        passed["roles"] = _pass_roles(passed["roles"])
    if not 0 < _integer(passed.get("timeout", 1)) <= _LONGEST_TIMEOUT_MS:
        del passed["timeout"]
    return [*message[:place], passed, *message[place + 1 :]]


def _pass_roles(roles: Any) -> dict[str, Any]:
    if not isinstance(roles, dict):
        raise Unreadable("its roles are no map")
    return {role: {"features": _pass_features(announced)} for role, announced in roles.items()}


def _pass_features(announced: Any) -> dict[str, bool]:
    features = announced.get("features") if isinstance(announced, Mapping) else None
    return {
        name: value
        for name, value in (features.items() if isinstance(features, Mapping) else ())
        if type(value) is bool and name.isidentifier() and not name.startswith(_INTERNAL_FEATURES) and name != "self"
    }


def _integer(value: Any) -> int:
    return value if type(value) is int else 0
