"""Tokens that a ``disconnect`` has made worthless: those of its user that were issued before it."""

from collections.abc import Mapping

from stork_node.protocol.commands.documents import Command

MOST_REVOCATIONS = 10_000
"""Users; the oldest make room."""


class Revocations:
    """When each user was disconnected last, by the publish server's clock: Unix time in whole seconds."""

    def __init__(self, by_user: Mapping[str, int] | None = None) -> None:
        self._by_user = dict(by_user or {})

    def __len__(self) -> int:
        return len(self._by_user)

    @property
    def by_user(self) -> dict[str, int]:
        return dict(self._by_user)

    def note(self, command: Command) -> None:
        """Take a command; those that revoke nothing are passed over."""
        if command.authid is not None and command.given_s:
            self._note(command.authid, command.given_s)

    def merge(self, by_user: Mapping[str, int]) -> None:
        """Take what somebody else knows."""
        for authid, given_s in by_user.items():
            self._note(authid, given_s)

    def refuses(self, authid: str, issued_at: float | None) -> bool:
        """
        Whether a token of this user is too old.

        One of the same second may be younger than the command, and is not refused; nor is one without a time.
        """
        given_s = self._by_user.get(authid)
        return given_s is not None and issued_at is not None and issued_at < given_s

    def _note(self, authid: str, given_s: int) -> None:
        self._by_user[authid] = max(given_s, self._by_user.pop(authid, 0))
        if len(self._by_user) > MOST_REVOCATIONS:
            del self._by_user[next(iter(self._by_user))]


def revokes(command: Command) -> bool:
    """Whether a command makes older tokens worthless."""
    return command.kind == "disconnect" and command.authid is not None
