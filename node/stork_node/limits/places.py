"""How many connections a node has, and one address."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

CONNECTIONS, OF_ADDRESS = "connections", "connections_per_address"
Holder = TypeVar("Holder", bound=Hashable)


class Places(Generic[Holder]):
    """
    Args:
        most: maximum of places.
        most_of_address: maximum of places of one address.
    """

    def __init__(self, most: Callable[[], int], most_of_address: Callable[[], int]) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._addresses: dict[Holder, str | None] = {}
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._addresses)

    def take(self, holder: Holder, address: str | None) -> str | None:
        """
        Give ``holder`` a place.

        Args:
            address: None if others may share it, as behind a balancer: then it has no limit.

        Returns:
            The limit that is reached: then it has no place. None if it has one.
        """
        if len(self._addresses) >= self._most():
            return CONNECTIONS
        if address is not None:
            if self._of_address[address] >= self._most_of_address():
                return OF_ADDRESS
            self._of_address[address] += 1
        self._addresses[holder] = address
        return None

    def free(self, holder: Holder) -> None:
        """``holder`` needs its place no more, if it had one."""
        address = self._addresses.pop(holder, None)
        if address is None:
            return
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
