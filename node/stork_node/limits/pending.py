"""How many requests are being answered at once: of all clients, and of one address."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from stork_node.config.limits import share_of_one


class Pending:
    """
    Args:
        most: at once, of all clients; one address has the share that ``share_of_one`` says.
        what: is counted, for texts: ``joins``.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self.number = 0
        self._of: Counter[str] = Counter()

    def excess(self, address: str | None) -> str:
        """Why no further one is taken; empty if it is. ``address`` is None where many may share it."""
        if self.number >= self._most:
            return f"{self.number} {self._what} are being answered already"
        if address is not None and self._of[address] >= share_of_one(self._most):
            return f"{self._of[address]} {self._what} of this address are being answered already"
        return ""

    @contextmanager
    def one(self, address: str | None) -> Iterator[None]:
        """One more, in the block."""
        self.number += 1
        if address is not None:
            self._of[address] += 1
        try:
            yield
        finally:
            self.number -= 1
            if address is not None:
                self._of[address] -= 1
                if not self._of[address]:
                    del self._of[address]
