"""What a backend is told about a command, and what it may say with one."""

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class CommandResult:
    """
    The answer to a command.

    Attributes:
        position: the command's place in the log: ``<epoch>:<sequence>``.
        complete: whether every attached node has obeyed or is gone. If not, the others obey before they deliver
            anything later.
        nodes: by node: what the command met there, such as ``{"sessions": 2}``; or ``"gone"``, ``"pending"``,
            ``"old"``.
    """

    position: str
    complete: bool
    nodes: dict[str, dict[str, int] | str]

    @property
    def sessions(self) -> int:
        """How many sessions the command met, on all nodes that have obeyed."""
        return sum(met.get("sessions", 0) for met in self.nodes.values() if isinstance(met, dict))


class CommandOptions(TypedDict, total=False):
    """
    Keyword arguments of a command; docs/delivery.md#commands says which go together.

    Attributes:
        authid: a user.
        session: a WAMP session id.
        role: all sessions with this role.
        topic: a topic.
        feed: ``version.name``, all of its topics.
        reason: text for the clients, at most 123 bytes.
        timeout_ms: how long the answer waits for nodes, 0 to 30,000; 5,000 if not given.
        id: idempotency key; a random one if None.
    """

    authid: str | None
    session: int | None
    role: str | None
    topic: str | None
    feed: str | None
    reason: str
    timeout_ms: int | None
    id: str | None
