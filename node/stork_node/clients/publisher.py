"""
Pushing from Python: ``Publisher``, for web applications, workers and scripts. It needs pyzmq and msgspec only.

    with Publisher("tcp://publish:5557") as publisher:
        publisher.push("v1.orders.42", type="order_paid", data={"id": 42})
"""

import dataclasses
import os
import secrets
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, Unpack

from stork_node.clients.pending_pushes import PendingPush, StoredPosition
from stork_node.clients.push_connections import PushConnections
from stork_node.clients.push_options import PushOptions, PushWarnings
from stork_node.clients.push_target import PushTarget
from stork_node.errors import InvalidPush, NotConfirmed, PushFailed, PushRefused
from stork_node.protocol.commands.documents import RECEIPT_TIMEOUT_MS, decode_command, encode_command
from stork_node.protocol.commands.results import CommandOptions, CommandResult
from stork_node.protocol.push import encode_push

NO_COMMANDS = "a publisher with answered=False gives no commands"
POSITION_REQUEST = b'{"position":true}'


class Publisher:
    """
    Pushes to a publish server; returns once a push is stored, or raises.

    It is safe with threads: each push uses a connection of its own, which is kept for the next push. It is safe after a
    fork: a child opens its own connections. An unanswered push is sent again with its id until the time-out, and is
    stored once.

    Args:
        endpoint: the publish server's ROUTER (5557); its PULL (5555) with ``answered=False``. Several that share an
            engine have commas between them: ``tcp://a,b,c:5557``. A push goes on to the next with the same id.
        timeout_ms: time that a push waits for its answer.
        secret: the deployment's ``STORK_BUS_SECRET``, if it has one.
        push_key: in place of the secret: a key that only allows pushing.
        answered: False: do not wait. ``push`` returns ``""`` at once, and a push may be lost.
        linger_ms: time that ``close``, or the end of the process, waits for unanswered pushes.
        warn: is called with a sentence about a push that no client can get, and about integers that JavaScript
            rounds (beyond 2^53): each sentence once. Such as ``logging.getLogger("push").warning``.

    Raises:
        ConfigError: an argument that cannot be used.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout_ms: int = 2000,
        secret: str | None = None,
        push_key: str | None = None,
        *,
        answered: bool = True,
        linger_ms: int = 2000,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._target = PushTarget.parse(endpoint, answered, timeout_ms, secret, push_key, linger_ms)
        self._timeout_ms = timeout_ms
        self._warnings = PushWarnings(warn)
        # By process id: a forked child finds nothing of its own here, and does not touch its parent's sockets.
        # setdefault on a dict is atomic; at the fork, another thread of the parent could hold a lock.
        self._connections: dict[int, PushConnections] = {}
        self._closed = False
        self._finalizer = weakref.finalize(self, _close_own, self._connections)

    def push(
        self, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
    ) -> StoredPosition:
        """
        Push to one or more topics.

        Args:
            topics: URIs, 1 to 1,000, or one URI.
            type: 1 to 255 characters.
            data: anything with a JSON form: also dataclasses, datetimes, UUIDs; ``msgspec.Raw`` for ready JSON.
            options: ``id``, ``exclude``, ``store``, ``receipt`` and ``timestamp``, see ``PushOptions``.

        Returns:
            The push's position once it is stored; for a known id that of the first push; ``""`` with
            ``answered=False``. With ``receipt=True`` it waits up to 5 s more, and the position has a ``receipt``.
            Its ``warning`` says why nobody can get the push, if that is so.

        Raises:
            InvalidPush: the publish server would refuse it; nothing is sent.
            PushRefused: the publish server could not store it.
            NotConfirmed: no answer in time: it may be stored, or not. Push it again with the same ``id``.
        """
        return self._deliver([pending_push(self._target.answered, topics, type, data, **options)])[0]

    def push_many(self, pushes: Iterable[Any]) -> list[StoredPosition]:
        """
        Push many in one round trip, in order.

        Args:
            pushes: each a mapping, or a dataclass, of the arguments of ``push``.

        Returns:
            The position of each.

        Raises:
            InvalidPush: one push is wrong (``reason`` begins with its index); nothing is sent.
            PushRefused, NotConfirmed: as ``push``, for the first that failed; others may be stored. Pushes with an
                ``id`` can be pushed again: stored ones are answered with their first position.
        """
        return self._deliver(pending_pushes(pushes, self._target.answered))

    def position(self) -> StoredPosition:
        """
        The position of the last stored push. Ask for it first, then load the state, then subscribe since this position.

        Raises:
            NotConfirmed: no answer in time.
        """
        if not self._target.answered:
            raise PushFailed("a publisher with answered=False is told no positions")
        return self._deliver([PendingPush(None, POSITION_REQUEST)])[0]

    def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> CommandResult:
        """
        End sessions or subscriptions, or have answers forgotten: ``publisher.command("disconnect", authid="7")``.

        Args:
            kind: ``disconnect``, ``unsubscribe``, ``refresh`` or ``forget``.
            options: whom it names, and more; see ``CommandOptions``.

        Returns:
            What it met on each node, once all nodes have obeyed, or after the command's ``timeout_ms``.

        Raises:
            InvalidCommand: the publish server would refuse it; nothing is sent.
            PushRefused: the publish server could not store it.
            NotConfirmed: no answer in time: it may be obeyed, or not. Give it again with the same ``id``.
        """
        if not self._target.answered:
            raise PushFailed(NO_COMMANDS)
        pending, wait_ms = pending_command(kind, options)
        try:
            self._exchange([pending], self._timeout_ms + wait_ms)
        except NotConfirmed as error:
            raise NotConfirmed(error.endpoint, error.timeout_ms, error.cause, "command") from None
        return result_of(pending)

    def close(self) -> None:
        """
        Close this process's connections; waits at most ``linger_ms`` for unsent pushes.

        Pushes in progress in other threads raise ``NotConfirmed``.
        """
        self._closed = True
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _deliver(self, pending_pushes: list[PendingPush]) -> list[StoredPosition]:
        self._warnings.look_at(pending_push.frame for pending_push in pending_pushes)
        if not self._target.answered:
            frames = [pending_push.frame for pending_push in pending_pushes]
            self._own_connections().send(frames, self._timeout_ms)
            return [StoredPosition()] * len(pending_pushes)
        self._exchange(pending_pushes, self._timeout_ms + longest_wait_ms(pending_pushes))
        return positions_of(pending_pushes, self._warnings)

    def _exchange(self, pending_pushes: list[PendingPush], timeout_ms: int) -> None:
        self._own_connections().exchange(pending_pushes, timeout_ms)

    def _own_connections(self) -> PushConnections:
        if self._closed:
            raise PushFailed("the publisher is closed")
        pid = os.getpid()
        return self._connections.get(pid) or self._connections.setdefault(pid, PushConnections(self._target))


def new_id() -> str:
    """A random idempotency key of 128 bits."""
    return secrets.token_hex(16)


def _close_own(connections: dict[int, PushConnections]) -> None:
    if own := connections.pop(os.getpid(), None):
        own.close()


def pending_push(
    answered: bool, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
) -> PendingPush:
    """
    Encode the arguments of ``push``; an answered push without an id gets one.

    Raises:
        InvalidPush: the publish server would refuse it.
        TypeError: an unknown option.
    """
    if unknown := options.keys() - PushOptions.__annotations__.keys():
        raise TypeError(f"push() has no option {min(unknown)!r} (those are {', '.join(PushOptions.__annotations__)})")
    if answered and options.get("id") is None:
        options["id"] = new_id()
    wait_ms = RECEIPT_TIMEOUT_MS if options.get("receipt") else 0
    return PendingPush(options.get("id"), encode_push(topics, type, data, **options), wait_ms)


def longest_wait_ms(pending_pushes: Iterable[PendingPush]) -> int:
    """How long the answers may wait for nodes."""
    return max((each.wait_ms for each in pending_pushes), default=0)


def pending_pushes(pushes: Iterable[Any], answered: bool) -> list[PendingPush]:
    """Encode the arguments of ``push_many``, all before anything is sent."""
    pending_pushes = []
    for i, push in enumerate(pushes):
        fields = dict(push) if isinstance(push, Mapping) else {f.name: getattr(push, f.name) for f in _fields(push)}
        try:
            pending_pushes.append(pending_push(answered, **fields))
        except InvalidPush as error:
            raise InvalidPush(f"pushes[{i}].{error.reason}") from None
    return pending_pushes


def _fields(push: Any) -> Any:
    if dataclasses.is_dataclass(push):
        return dataclasses.fields(push)
    raise TypeError(f"{push!r} is neither a mapping nor a dataclass")


def positions_of(pending_pushes: Iterable[PendingPush], warnings: PushWarnings) -> list[StoredPosition]:
    """The positions of answered pushes; raises the first refusal."""
    positions = []
    for pending_push in pending_pushes:
        if isinstance(pending_push.outcome, PushRefused):
            raise pending_push.outcome
        outcome = pending_push.outcome
        position = outcome if isinstance(outcome, StoredPosition) else StoredPosition()
        warnings.answered(position.warning)
        positions.append(position)
    return positions


def pending_command(kind: str, options: CommandOptions) -> tuple[PendingPush, int]:
    """
    Encode the arguments of ``command``, with an id; also says how long its answer may wait for nodes, in milliseconds.

    Raises:
        InvalidCommand: the publish server would refuse it.
        TypeError: an unknown option.
    """
    if unknown := options.keys() - CommandOptions.__annotations__.keys():
        known = ", ".join(CommandOptions.__annotations__)
        raise TypeError(f"a command has no option {min(unknown)!r} (those are {known})")
    if options.get("id") is None:
        options["id"] = new_id()
    frame = encode_command(kind, **options)
    return PendingPush(options["id"], frame), decode_command(frame).timeout_ms


def result_of(pending: PendingPush) -> CommandResult:
    """The result of an answered command; raises its refusal."""
    outcome = pending.outcome
    if isinstance(outcome, CommandResult):
        return outcome
    if isinstance(outcome, PushRefused):
        raise PushRefused(outcome.error, outcome.reason, "command")
    raise PushRefused("old", "this publish server is of a release without commands", "command")
