"""
Which connection gives way where there is no room: of those that have not joined, the one whose last step is oldest.

A client takes three steps: it connects, it opens its WebSocket (or RawSocket, or asks for a page), it says HELLO. Then
it says its ticket, and the node owes it an answer: from there on it gives way to nobody. Each step counts once, and
bytes do not: a stranger cannot stay by saying a little now and then, nor by asking for page after page.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from enum import IntEnum
from typing import Generic, TypeVar


class Step(IntEnum):
    CONNECTED = 0
    ASKED = 1
    HELLO = 2


Connection = TypeVar("Connection", bound=Hashable)


class Unjoined(Generic[Connection]):
    """
    Args:
        most_of_one: how many one address may have.
    """

    def __init__(self, most_of_one: Callable[[], int]) -> None:
        self._most_of_one = most_of_one
        # In the order of their last steps.
        self._steps: OrderedDict[Connection, Step] = OrderedDict()
        self._address_of: dict[Connection, str] = {}
        self._of_address: dict[str, OrderedDict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Connection]:
        """Those that have waited longest for their next step come first."""
        return iter(self._steps)

    def add(self, connection: Connection, address: str | None) -> Connection | None:
        """
        Take in a connection.

        Args:
            address: None where others may share it, as behind a balancer: then it has no bound.

        Returns:
            The connection of the same address that gives way to it, if one must; it is forgotten here.
        """
        self._steps[connection] = Step.CONNECTED
        return self.belongs_to(connection, address) if address else None

    def belongs_to(self, connection: Connection, address: str) -> Connection | None:
        """The same for a connection whose address is known later than itself."""
        if connection not in self._steps:
            return None
        self._forget_address(connection)
        self._address_of[connection] = address
        own = self._of_address.setdefault(address, OrderedDict())
        own[connection] = None
        if len(own) <= self._most_of_one():
            return None
        oldest = next(iter(own))
        self.remove(oldest)
        return oldest

    def take_step(self, connection: Connection, step: Step) -> None:
        if step <= self._steps.get(connection, step):
            return
        self._steps[connection] = step
        self._steps.move_to_end(connection)
        if address := self._address_of.get(connection):
            self._of_address[address].move_to_end(connection)

    def remove(self, connection: Connection) -> None:
        """It has joined, is about to, or is gone; it may be unknown."""
        if self._steps.pop(connection, None) is not None:
            self._forget_address(connection)

    def _forget_address(self, connection: Connection) -> None:
        address = self._address_of.pop(connection, None)
        if address is not None:
            own = self._of_address[address]
            del own[connection]
            if not own:
                del self._of_address[address]
