"""The README and the book (``node/docs``) as tests read them: pages, links, anchors, code blocks, tables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "node/docs"
PAGES = (README, *sorted(DOCS.glob("*.md")))

_FENCE = re.compile(
    r"^(?:<!-- test: (?P<name>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def text_of(page: Path) -> str:
    """The page without its code blocks, in which ``#`` is no heading and brackets are no link."""
    return _FENCE.sub("", page.read_text())


def blocks() -> Iterator[tuple[str, str, str, str]]:
    """Each code block of README and book: page, the name that a test knows it by (or ""), language, text."""
    for page in PAGES:
        for found in _FENCE.finditer(page.read_text()):
            yield page.name, found["name"] or "", found["language"], found["text"]


def block(name: str) -> str:
    """The text of the block with this name."""
    [text] = [text for _, known, _, text in blocks() if known == name]
    return text


def anchors(page: Path) -> set[str]:
    """The anchors of a page: texts that can follow ``#`` in a link to it, by GitHub's rules."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(text_of(page))}


def links(page: Path) -> list[str]:
    return [link for link in _LINK.findall(text_of(page)) if not link.startswith(("http://", "https://"))]


def problem(link: str, page: Path) -> str:
    """Why a link on this page leads nowhere; empty where it does not."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{page.name}: there is no {link}"
    if anchor and anchor not in anchors(target):
        return f"{page.name}: there is no heading for {link}"
    return ""


def tables(page: Path, *columns: str) -> list[list[Mapping[str, str]]]:
    """The rows of each table of the page that begins with these columns."""
    found: list[list[Mapping[str, str]]] = []
    for rows in re.findall(r"(?:^\|.*\|\n)+", page.read_text(), re.MULTILINE):
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows.splitlines()]
        if cells[0][: len(columns)] == list(columns):
            found.append([dict(zip(cells[0], row, strict=True)) for row in cells[2:]])
    return found
