"""A component for tests, in a node's router process: counts the objects there."""

import gc
from collections import Counter
from dataclasses import dataclass

from stork_crossbar.component import Component


@dataclass(frozen=True)
class NoSettings:
    """None."""


class Census(Component):
    Settings = NoSettings

    async def start(self) -> None:
        await self.register(self._count, "test.census")

    def _count(self) -> dict[str, int]:
        """The number of objects of each class, after a garbage collection."""
        gc.collect()
        return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
