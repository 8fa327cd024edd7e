"""The commands of the last minutes, and what each attached node has said of each of them."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.protocol.positions import Position

GONE, PENDING, OLD = "gone", "pending", "old"

Outcome = dict[str, int] | str
"""What a command met on a node; or ``gone``, ``pending``, ``old``."""


class NodeOutcome(Struct):
    """One node that was attached when a command was numbered; ``label`` is its name then."""

    incarnation: str
    label: str
    outcome: Outcome = PENDING


class GivenCommand(Struct):
    """A command that has its number."""

    number: int
    command: Command
    nodes: list[NodeOutcome]

    @property
    def is_complete(self) -> bool:
        """Whether every node has obeyed it, or is gone."""
        return all(node.outcome != PENDING for node in self.nodes)

    def outcomes(self, old: int = 0) -> dict[str, Outcome]:
        """By the name of each node; with ``old`` nodes of a release that obeys no commands."""
        return {node.label: node.outcome for node in self.nodes} | {f"old-{i}": OLD for i in range(1, old + 1)}


class Commands:
    """The commands of one epoch, by their numbers, oldest first."""

    def __init__(self, given: Iterable[GivenCommand] = ()) -> None:
        self._given = {each.number: each for each in given}
        self._by_id = {each.command.id: each for each in self._given.values() if each.command.id is not None}

    def __len__(self) -> int:
        return len(self._given)

    @property
    def given(self) -> list[GivenCommand]:
        return list(self._given.values())

    def get(self, number: int) -> GivenCommand | None:
        return self._given.get(number)

    def with_id(self, id: str | None) -> GivenCommand | None:
        return None if id is None else self._by_id.get(id)

    def has_receipt(self, push: Position, tail: Position) -> bool:
        """Whether it is known what nodes have written of the push that was stored there."""
        given = self._given.get(push.sequence + 1) if push.epoch == tail.epoch else None
        return given is not None and given.command.kind == RECEIPT

    def begin(self, command: Command, number: int, labels: Mapping[str, str]) -> None:
        """A command was numbered while the nodes of ``labels`` were attached."""
        given = GivenCommand(number, command, [NodeOutcome(*item) for item in labels.items()])
        self._given[number] = given
        if command.id is not None:
            self._by_id[command.id] = given

    def obeyed(self, incarnation: str, number: int, counts: dict[str, int]) -> None:
        """A node has obeyed."""
        self._settle(self._given.get(number), incarnation, counts)

    def gone(self, incarnation: str) -> None:
        """A node is gone: no command waits for it any more."""
        for given in self._given.values():
            self._settle(given, incarnation, GONE)

    def forget(self, number: int) -> None:
        """Nobody asks for this command any more."""
        given = self._given.pop(number, None)
        if given and given.command.id and self._by_id.get(given.command.id) is given:
            del self._by_id[given.command.id]

    def _settle(self, given: GivenCommand | None, incarnation: str, outcome: Outcome) -> None:
        for node in given.nodes if given else ():
            if node.incarnation == incarnation and node.outcome == PENDING:
                node.outcome = outcome
