"""Procedures: the declarations of ``Stork.rpc``, and Virge::Stork's form of calls with one JSON string each way."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args

from stork_node.application.declarations import Handler, SourceLocation
from stork_node.application.feeds import Verifier
from stork_node.errors import CallError, DeclarationError
from stork_node.protocol.uris import RESERVED

Invoke = Literal["single", "first", "last", "roundrobin", "random"]

INVALID_ARGUMENT = "wamp.error.invalid_argument"

# The router's rules, WAMP's loose ones: parts without whitespace, "#" and ".", and none of them empty.
_LOOSE_URI = re.compile(r"[^\s.#]+(\.[^\s.#]+)*")


def is_uri(text: Any) -> bool:
    """Whether a router accepts this as the URI of a procedure or of an error."""
    return isinstance(text, str) and _LOOSE_URI.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Procedure:
    """
    A procedure of the application.

    ``allow`` says which clients may call it: True all, False none (backends always may), or a check that is called with
    (session). ``invoke`` is WAMP's invocation policy, for several processes that register it. ``may_take_s`` is its
    maximum time in seconds. None: as in the settings; 0: no maximum.
    """

    uri: str
    handler: Handler
    invoke: Invoke
    allow: bool | Verifier
    json_string: bool
    may_take_s: float | None = None

    @classmethod
    def declare(
        cls,
        uri: str,
        function: Callable[..., Any],
        invoke: Invoke,
        allow: Any,
        json_string: bool,
        may_take_s: float | None = None,
    ) -> "Procedure":
        """
        Raises:
            DeclarationError: an unknown option, or a URI that an application may not register.
        """
        location = SourceLocation.of_caller()
        if not is_uri(uri):
            raise DeclarationError(
                f"{location}: {uri!r} is not a procedure's URI (want one such as 'io.example.greet')"
            )
        for prefix in RESERVED:
            if uri.startswith(prefix):
                raise DeclarationError(f"{location}: {uri} is not for applications: {prefix} is reserved")
        policies: tuple[Invoke, ...] = get_args(Invoke)
        if invoke not in policies:
            raise DeclarationError(f"{location}: invoke is {invoke!r}, want one of {', '.join(policies)}")
        if not isinstance(allow, bool) and not callable(allow):
            raise DeclarationError(f"{location}: allow is {allow!r}, want True, False or a function of the session")
        check = allow if isinstance(allow, bool) else Verifier(Handler.declare(f"allow of {uri}", allow, "session"))
        if may_take_s is not None and not _is_seconds(may_take_s):
            raise DeclarationError(
                f"{location}: may_take_s is {may_take_s!r}, want seconds, such as 600, or 0 for no limit"
            )
        handler = Handler.declare("procedure", function, "call")
        return cls(uri, handler, invoke, check, bool(json_string), may_take_s)


def _is_seconds(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < math.inf


def decode_arguments(uri: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """
    Read the arguments of a procedure with ``json_string``: one string of JSON, whose value becomes the only argument.

    Raises:
        CallError: ``wamp.error.invalid_argument``.
    """
    if kwargs or len(args) != 1 or not isinstance(args[0], str):
        raise CallError(INVALID_ARGUMENT, f"{uri} takes one argument, a string of JSON")
    try:
        return (json.loads(args[0], parse_constant=_refuse_constant),)
    except (ValueError, RecursionError):
        raise CallError(INVALID_ARGUMENT, f"{uri} takes one argument, a string of JSON: this one is not") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def encode_result(result: Any) -> str:
    """The JSON string that a procedure with ``json_string`` returns."""
    return json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
