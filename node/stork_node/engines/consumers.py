"""Consumers that several publish servers know of: one server at a time holds each of them, and keeps its position."""

from typing import Protocol

from msgspec import Struct


class Term(Struct, frozen=True):
    """
    Who holds a consumer.

    Attributes:
        number: how many servers have taken it so far.
        holder: a name of the server; empty: nobody.
        beat: rises with each renewal.
    """

    number: int
    holder: str
    beat: int


class Consumers(Protocol):
    """Kept by an engine beside the log; retention and new epochs leave it alone."""

    def renew(
        self, name: str, holder: str, silent: Term | None = None, told: bytes | None = None, table: bytes | None = None
    ) -> Term:
        """
        Renew a term, or take it if nobody has it.

        Args:
            silent: may be taken over, if it is still the same.
            told: kept if the term is ``holder``'s before the call, as is ``table``; None changes nothing.

        Returns:
            The term afterwards.

        Raises:
            StorageFailed: the engine is away.
        """

    def release(self, name: str, holder: str) -> None:
        """
        Let another server take a term at once.

        Raises:
            StorageFailed: the engine is away.
        """

    def load(self, name: str) -> tuple[bytes | None, bytes | None]:
        """
        What was kept last: ``told`` and ``table``.

        Raises:
            StorageFailed: the engine is away.
        """
