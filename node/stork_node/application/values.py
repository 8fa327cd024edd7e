"""The values that an application's handlers get and return: frozen, and never invalid."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from stork_node.application.grants import Grants
from stork_node.errors import InvalidAnswer
from stork_node.protocol.presence.limits import MAX_INFO_BYTES
from stork_node.protocol.wire_values import to_wire

# Year 5138. A larger number is a time in milliseconds, as in JavaScript, by mistake.
_LATEST_EXPIRY_S = 1e11


def _require_text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise TypeError(
            f"{name} is of type {type(value).__name__}, want a str" + (": str(…)" if value is not None else "")
        )
    if not value:
        raise ValueError(f"{name} is empty")
    to_wire(value, name)


def _wire_object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is of type {type(value).__name__}, want a dict")
    copy: dict[str, Any] = to_wire(value, name)
    return copy


@dataclass(frozen=True)
class Principal:
    """
    A client's identity: an authenticator returns it to let the client in.

    Args:
        authid: name of the user, usually an id; not empty. Verifiers see it as ``session.authid``.
        role: a role that the node's configuration lets the application give.
        extra: JSON object for the client, in WELCOME's ``authextra``.
        private: JSON object for the handlers, as ``session.private``; it stays in the node.
        expires_at: when the session ends: a ``datetime`` with a time zone, or Unix time in seconds. None: never.
        topics: topics that it may subscribe to without asking: ``v1.orders.42``, or ``v1.orders.*`` for a whole feed.
        presence: JSON object that others see of the user where it is online; at most 4 KiB.

    Raises:
        TypeError, ValueError: a wrong field; the text names it.
    """

    authid: str
    role: str = "frontend"
    extra: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict, repr=False)
    expires_at: datetime | float | None = None
    topics: Sequence[str] = ()
    presence: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        _require_text(self.authid, "authid")
        _require_text(self.role, "role")
        object.__setattr__(self, "extra", _wire_object(self.extra, "extra"))
        object.__setattr__(self, "private", _wire_object(self.private, "private"))
        object.__setattr__(self, "topics", tuple(Grants.parse(self.topics).to_wire()))
        self._check_presence()
        self._check_expiry()

    def _check_presence(self) -> None:
        if self.presence is None:
            return
        object.__setattr__(self, "presence", _wire_object(self.presence, "presence"))
        if len(self.presence_json) > MAX_INFO_BYTES:
            raise ValueError(
                f"presence has {len(self.presence_json):,} bytes of JSON, at most {MAX_INFO_BYTES:,} are allowed"
            )

    @property
    def presence_json(self) -> bytes:
        """``presence`` as JSON; ``null`` if there is none."""
        return json.dumps(self.presence, ensure_ascii=False, separators=(",", ":")).encode()

    def _check_expiry(self) -> None:
        at = self.expires_at
        if at is None:
            return
        if isinstance(at, datetime):
            if at.utcoffset() is None:
                raise ValueError("expires_at is a datetime without a time zone (want datetime.now(UTC) + …)")
        elif isinstance(at, bool) or not isinstance(at, int | float):
            raise TypeError(f"expires_at is of type {type(at).__name__}, want a datetime or Unix time in seconds")
        elif not math.isfinite(at):
            raise ValueError(f"expires_at is {at}, want a datetime or Unix time in seconds")
        elif abs(at) >= _LATEST_EXPIRY_S:
            raise ValueError(f"expires_at is {at}, which is no Unix time in seconds (milliseconds?)")

    @property
    def expires_at_s(self) -> float | None:
        """``expires_at`` as Unix time in seconds."""
        at = self.expires_at
        return at.timestamp() if isinstance(at, datetime) else None if at is None else float(at)

    def to_wire(self) -> dict[str, Any]:
        """The form for the guard; ``expires_at`` is Unix time in seconds, or None."""
        wire = {
            "allow": True,
            "authid": self.authid,
            "role": self.role,
            "extra": self.extra,
            "private": self.private,
            "expires_at": self.expires_at_s,
        }
        if self.topics:
            wire["topics"] = list(self.topics)
        if self.presence is not None:
            wire["presence"] = self.presence
        return wire

    @classmethod
    def from_wire(cls, answer: Mapping[str, Any]) -> Self:
        """
        Read what ``to_wire`` wrote; ``extra``, ``private``, ``expires_at``, ``topics`` and ``presence`` may be missing.

        Raises:
            InvalidAnswer: a field is missing or wrong.
        """
        objects: Any = {name: answer.get(name) or {} for name in ("extra", "private")}
        named: Any = {name: answer.get(name) for name in ("authid", "role", "expires_at", "presence")}
        try:
            return cls(**named, topics=answer.get("topics") or (), **objects)
        except (TypeError, ValueError) as error:
            raise InvalidAnswer(str(error)) from None


@dataclass(frozen=True)
class Deny:
    """
    A refusal. It is false in a boolean context.

    Args:
        reason: text for the log; the client does not get it.
        retry: tells the client to get a new ticket and try again, as after an expired one. For authenticators only.
    """

    reason: str = ""
    retry: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str):
            raise TypeError(f"reason is of type {type(self.reason).__name__}, want a str")
        if not isinstance(self.retry, bool):
            raise TypeError(f"retry is of type {type(self.retry).__name__}, want True or False")
        # It travels to the guard over WAMP, even if it repeats parts of a ticket.
        object.__setattr__(self, "reason", self.reason.replace("\0", "?").encode(errors="replace").decode())

    def __bool__(self) -> bool:
        return False

    def to_wire(self) -> dict[str, Any]:
        """The form for the guard."""
        return {"allow": False, "retry": self.retry, "reason": self.reason}

    @classmethod
    def from_wire(cls, answer: Mapping[str, Any]) -> Self:
        """Read what ``to_wire`` wrote; ``retry`` and ``reason`` may be missing."""
        return cls(str(answer.get("reason", "")), answer.get("retry") is True)


@dataclass(frozen=True, kw_only=True)
class ClientSession:
    """
    A client that was let in.

    ``id`` is the WAMP session id. ``authid``, ``role``, ``extra`` and ``private`` come from the authenticator's
    ``Principal``. ``authmethod`` and ``authprovider`` are WAMP's. ``address`` is the host of the peer (``""`` if it has
    none, as on a Unix socket).
    """

    id: int
    authid: str
    role: str = "frontend"
    realm: str = "realm1"
    extra: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict, repr=False)
    authmethod: str = ""
    authprovider: str = ""
    address: str = ""

    @classmethod
    def by_ticket(cls, principal: Principal, session_id: int, realm: str, peer: str | None) -> Self:
        """The session of a client whose ticket was accepted, and whose connection comes from ``peer``."""
        return cls(
            id=session_id,
            authid=principal.authid,
            role=principal.role,
            realm=realm,
            extra=principal.extra,
            private=principal.private,
            authmethod="ticket",
            authprovider="dynamic",
            address=peer_host(peer),
        )

    def to_wire(self) -> dict[str, Any]:
        """The form in which the guard sends it to the application process; ``parse`` reads it there."""
        return {
            "session": self.id,
            "authid": self.authid,
            "authrole": self.role,
            "realm": self.realm,
            "authmethod": self.authmethod,
            "authprovider": self.authprovider,
            "authextra": self.extra,
            "private": self.private,
            "transport": {"peer": self.address},
        }

    @classmethod
    def parse(cls, details: Mapping[str, Any]) -> Self:
        """
        Read a session in the form of WAMP and the guard.

        Args:
            details: ``{"session", "authid", "authrole", "realm", "authmethod", "authprovider", "authextra",
                "private", "transport": {"peer"}}``. Missing or null values become empty: an ``authid`` of None would
                equal the None of a failed look-up of an owner.
        """
        return cls(
            id=details.get("session") or 0,
            authid=details.get("authid") or "",
            role=details.get("authrole") or "",
            realm=details.get("realm") or "",
            extra=dict(details.get("authextra") or {}),
            private=dict(details.get("private") or {}),
            authmethod=details.get("authmethod") or "",
            authprovider=details.get("authprovider") or "",
            address=peer_host((details.get("transport") or {}).get("peer")),
        )


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a procedure: its arguments as WAMP has them, and its caller's session."""

    session: ClientSession
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def peer_host(peer: str | None) -> str:
    """
    The host in autobahn's description of a peer.

    ``tcp4:127.0.0.1:52914``, ``tcp6:::1:52914`` and, from a trusted X-Forwarded-For header, the plain ``10.1.2.3``;
    ``""`` for those that have none, such as ``unix:/run/x.sock`` and ``process:14``.
    """
    kind, colon, rest = (peer or "").partition(":")
    if colon and kind in ("tcp4", "tcp6", "tcp"):
        host = rest.rpartition(":")[0]
        # An IPv4 client of a socket that takes both.
        return host.removeprefix("::ffff:") if "." in host else host
    if kind in ("unix", "process", "pipe", "unknown"):
        return ""
    return peer or ""
