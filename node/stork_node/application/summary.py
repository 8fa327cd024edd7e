"""What an application declares, for the banner and the page: both name only what works with this application."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from stork_node.application.stork import Stork

_SHARED_TICKET = "STORK_TICKET"


@dataclass(frozen=True)
class Summary:
    """
    Attributes:
        feeds: the declared feeds, such as ``v1.test``, in order.
        procedures: those that clients may call.
        takes_shared_ticket: whether the code of the application names ``STORK_TICKET``.
    """

    feeds: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    takes_shared_ticket: bool = False

    @classmethod
    def of(cls, stork: Stork, folder: Path) -> Self:
        """
        Args:
            stork: a loaded application.
            folder: the folder of its modules.
        """
        return cls(
            tuple(map(str, stork.declared.feeds.values())),
            tuple(procedure.uri for procedure in stork.procedures if procedure.allow),
            any(_names_shared_ticket(file) for file in _own_files(folder.resolve())),
        )

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(tuple(value["feeds"]), tuple(value["procedures"]), bool(value["takes_shared_ticket"]))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def merged(self, other: "Summary") -> "Summary":
        """Both applications of one node."""
        return Summary(
            self.feeds + other.feeds,
            self.procedures + other.procedures,
            self.takes_shared_ticket or other.takes_shared_ticket,
        )


def _own_files(folder: Path) -> Iterator[Path]:
    """The imported modules in the folder, but for those of an environment that is in it as well."""
    environment = Path(sys.prefix).resolve()
    for module in list(sys.modules.values()):
        file = Path(getattr(module, "__file__", None) or "")
        if file.suffix == ".py" and file.is_relative_to(folder) and not file.is_relative_to(environment):
            yield file


def _names_shared_ticket(file: Path) -> bool:
    try:
        source = file.read_bytes()
        code = ast.parse(source) if _SHARED_TICKET.encode() in source else None
    except (OSError, SyntaxError, ValueError):
        return False
    return code is not None and any(
        isinstance(node, ast.Constant) and node.value == _SHARED_TICKET for node in ast.walk(code)
    )
