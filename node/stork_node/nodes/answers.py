"""What the nodes of a deployment have answered to one question."""

from typing import Any

from msgspec import Struct


class Answers(Struct, frozen=True):
    """
    Attributes:
        by_node: what each node has said, by its name; the asking node comes first.
        missing: the names of the nodes that have said nothing in time, or do not know the question.
    """

    by_node: dict[str, Any]
    missing: list[str] = []
