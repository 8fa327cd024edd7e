"""
Chooses the connection to end if there is no room: of those that have not joined, the one whose last step is oldest.

A client takes three steps: it connects, it opens its WebSocket (or RawSocket, or requests a page), it sends HELLO.
After its ticket the node owes it an answer, and does not end it for others. Each step counts once, and bytes do not
count. So a stranger cannot stay by sending a few bytes now and then, or by requesting page after page.
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
        most_of_one: maximum of connections of one address.
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
        """The connections; the one that has waited longest for its next step comes first."""
        return iter(self._steps)

    def add(self, connection: Connection, address: str | None) -> Connection | None:
        """
        Add a connection.

        Args:
            address: None if others may share it, as behind a balancer: then it has no limit.

        Returns:
            The connection of the same address that must be ended, if any; it is forgotten here.
        """
        self._steps[connection] = Step.CONNECTED
        return self.belongs_to(connection, address) if address else None

    def belongs_to(self, connection: Connection, address: str) -> Connection | None:
        """Set the address of a connection, if it is known only later; returns as ``add``."""
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
        """Forget a connection: it has joined, is about to, or is gone. It may be unknown."""
        if self._steps.pop(connection, None) is not None:
            self._forget_address(connection)

    def _forget_address(self, connection: Connection) -> None:
        address = self._address_of.pop(connection, None)
        if address is not None:
            own = self._of_address[address]
            del own[connection]
            if not own:
                del self._of_address[address]
