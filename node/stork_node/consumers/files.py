"""What a consumer has told, in files beside the log, where there is one publish server: its term is always its own."""

from pathlib import Path

from stork_node.engines.consumers import Term
from stork_node.protocol.positions import Position
from stork_node.webhooks.stored import StoredPosition


class FileConsumers:
    """See ``Consumers``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beat = 0

    def renew(
        self, name: str, holder: str, silent: Term | None = None, told: bytes | None = None, table: bytes | None = None
    ) -> Term:
        self._beat += 1
        if table is None and told is None:
            return Term(1, holder, self._beat)
        stored = self._stored(name)
        if table is not None:
            stored.save_table(table)
        if told is not None:
            stored.save_told(Position.parse(told.decode()))
        return Term(1, holder, self._beat)

    def release(self, name: str, holder: str) -> None:
        """Nobody else waits for it."""

    def load(self, name: str) -> tuple[bytes | None, bytes | None]:
        return self._stored(name).load_bytes()

    def _stored(self, name: str) -> StoredPosition:
        return StoredPosition(self._folder, name)
