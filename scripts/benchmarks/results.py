"""Results: as JSON on disk, each case with the versions and the machine it was measured on."""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from benchmarks.errors import BenchError


class FigureResult(Struct, frozen=True):
    """The description of a figure (see ``cases.case.Figure``)."""

    name: str
    title: str
    unit: str
    more_is_better: bool
    goal: float | None = None


class PeerResult(Struct):
    """The results of one peer in a case: for each figure a value for each round, and problems."""

    label: str
    version: str
    values: dict[str, list[float]] = {}
    remarks: list[str] = []
    failure: str = ""


class Machine(Struct, frozen=True):
    """The machine of the measurement."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    open_files: int


class CaseResult(Struct):
    """One case, side by side: all its values come from one run."""

    title: str
    measured_at: str
    rounds: int
    machine: Machine
    figures: list[FigureResult]
    peers: dict[str, PeerResult] = field(default_factory=dict)


class Results(Struct):
    """Cases by name, in the order in which they are shown."""

    cases: dict[str, CaseResult] = {}


def load_results(path: Path) -> Results:
    """
    The results of earlier runs, or none.

    Raises:
        BenchError: the file is something else.
    """
    if not path.exists():
        return Results()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as error:
        raise BenchError(
            f"{path} has no results of this benchmark ({error}): remove it, or choose another --output"
        ) from None


def save_results(path: Path, results: Results) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
