"""The nodes of a deployment, as the entries of the log tell: who has attached, and who is gone."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from stork_node.protocol.commands.entries import Incarnation, NodeAttached, NodeGone, NodeName, Version

_GONE_KEPT = 1_000


class NodeRow(Struct, frozen=True):
    """
    One attached node.

    Attributes:
        incarnation: its identity; random at each start of its router process.
        name: what its operator calls it; several may have one name.
        attached: the number of the entry.
    """

    incarnation: Incarnation
    name: NodeName
    version: Version
    attached: int


class NodeTable:
    """
    The attached nodes of one epoch, in the order in which they attached.

    The publish server and every relay apply the same entries, and so have the same table at each number.
    """

    def __init__(self, rows: Iterable[NodeRow] = (), gone: Iterable[str] = ()) -> None:
        self._rows = {row.incarnation: row for row in rows}
        self._gone: OrderedDict[str, None] = OrderedDict.fromkeys(gone)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, incarnation: object) -> bool:
        return incarnation in self._rows

    @property
    def rows(self) -> list[NodeRow]:
        return list(self._rows.values())

    @property
    def gone(self) -> list[str]:
        """The incarnations that ended last, 1,000 at most, oldest first. None of them attaches again."""
        return list(self._gone)

    def is_gone(self, incarnation: str) -> bool:
        return incarnation in self._gone

    def attach(self, node: NodeAttached, number: int) -> None:
        self._rows[node.incarnation] = NodeRow(node.incarnation, node.name, node.version, number)

    def end(self, node: NodeGone) -> None:
        """The incarnation is over, whether it was attached or not."""
        self._rows.pop(node.incarnation, None)
        self._gone[node.incarnation] = None
        if len(self._gone) > _GONE_KEPT:
            self._gone.popitem(last=False)

    def labels(self) -> Mapping[str, str]:
        """A name for each incarnation: its own for the first that attached with it, ``node-1~2`` for the second."""
        labels: dict[str, str] = {}
        uses: dict[str, int] = {}
        for row in self._rows.values():
            uses[row.name] = uses.get(row.name, 0) + 1
            labels[row.incarnation] = row.name if uses[row.name] == 1 else f"{row.name}~{uses[row.name]}"
        return labels
