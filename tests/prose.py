"""Prose as tests read it: the sentences of a page, and the names of tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.book import ROOT, text_of

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]*`")
_NEW_BLOCK = re.compile(r"^(?:\s*[-*] |\s*\d+\. |#+ |\|)")
_END = re.compile(r"(?<=[.!?:;])\s+")


def sentences(page: Path) -> Iterator[str]:
    """
    Each sentence of a page in Markdown: of its paragraphs, list items and table cells.

    A colon or semicolon ends one, too: what stands on its two sides can be read one after the other.
    """
    for block in _blocks(text_of(page)):
        plain = _CODE.sub("code", _LINK.sub(r"\1", block))
        yield from (sentence for sentence in _END.split(plain) if sentence)


def _blocks(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if (not line.strip() or _NEW_BLOCK.match(line)) and lines:
            yield " ".join(lines)
            lines = []
        if line.startswith("|"):
            yield from (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        elif line.strip() and not line.startswith("    "):
            lines.append(line.strip())


def words(sentence: str) -> int:
    return sum(any(character.isalnum() for character in word) for word in sentence.split())


def test_names() -> Iterator[tuple[Path, str]]:
    """Each test of the repository: its file and its name."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield file, node.name


test_names.__test__ = False  # type: ignore[attr-defined]  # it is no test
