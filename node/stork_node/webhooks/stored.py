"""
Where a webhook is: two files beside ``state.json`` in the folder of the log, which retention does not delete.

``webhook-<hash of its name>.json`` has the position that was answered with 2xx. ``…-table.json`` has who was online at
this position, or at an earlier one: the entries between them are read again, and told to nobody.
"""

import logging
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from stork_node.protocol.positions import Position
from stork_node.push_log.files import replace_file
from stork_node.webhooks.reading import Saved, decode_saved

log = logging.getLogger("stork_node.publish_server")


class _Told(Struct):
    name: str
    epoch: str
    sequence: int


_decode = msgspec.json.Decoder(_Told).decode


class StoredPosition:
    """The files of the webhook with this name. A disk that fails is a line of the log, and stops nothing."""

    def __init__(self, folder: Path, name: str) -> None:
        key = sha256(name.encode()).hexdigest()[:16]
        self._name = name
        self._told, self._table = folder / f"webhook-{key}.json", folder / f"webhook-{key}-table.json"

    def load_bytes(self) -> tuple[bytes | None, bytes | None]:
        """The position as text, and the table as JSON; None where there is none."""
        told = self._load_told()
        table = None
        with suppress(OSError):
            table = self._table.read_bytes()
        return str(told).encode() if told else None, table

    def load(self) -> tuple[Saved | None, Position | None]:
        """The table to begin with, and the position up to which everything is told; None where there is none."""
        told = self._load_told()
        saved = None
        with suppress(OSError):
            saved = decode_saved(self._table.read_bytes())
        if saved and (told is None or told.epoch != saved.epoch or told < saved.position):
            told = saved.position
        return saved, told

    def _load_told(self) -> Position | None:
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            read = _decode(self._told.read_bytes())
            return Position(read.epoch, read.sequence)
        return None

    def save_told(self, at: Position) -> None:
        """Everything up to here is told."""
        self._write(self._told, msgspec.json.encode(_Told(self._name, at.epoch, at.sequence)))

    def save_table(self, saved: bytes) -> None:
        """The table of a position that is told."""
        self._write(self._table, saved)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            replace_file(path, content)
        except OSError as error:
            log.warning("webhook %s: its position cannot be stored: %s", self._name, error.strerror)
