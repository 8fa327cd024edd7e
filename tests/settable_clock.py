"""A wall clock that a test sets, for all processes that are started with its ``environ``."""

import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("set_clock.c")


class SettableClock:
    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "clock", folder / "set_clock.so"
        self.set(0)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE)], check=True)
        self.environ = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """So many seconds from the machine's own."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
