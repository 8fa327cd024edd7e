"""README and book: links and citations lead somewhere, code blocks are known to a test, and the README is short."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from stork_node.access.settings import Feeds, HttpSettings, feeds_section, http_section
from stork_node.cli.group import COMMANDS
from stork_node.config.settings import read, section, setting
from stork_node.protocol.commands.documents import decode_command
from stork_node.protocol.push import decode_push
from stork_node.relay.history_settings import HistorySettings, histories
from stork_node.testing import AppTester
from stork_node.tokens.settings import JwtSettings
from stork_node.webhooks.settings import read_webhooks
from tests.book import DOCS, PAGES, README, ROOT, anchors, block, blocks, links, problem, tables

FOLDERS = ("node", "components", ".crossbar", "scripts", "tests")
FOLDER_READMES = [ROOT / folder / "README.md" for folder in FOLDERS]
MARKDOWN = (*PAGES, *FOLDER_READMES)
# Each is run by a test: here, by e2e/test_readme.py, by browser/test_readme.py or by image/test_docker_lines.py.
RUN_HERE = {
    "push document",
    "command document",
    "history",
    "http keys",
    "jwt",
    "http",
    "feeds",
    "pusher apps",
    "webhooks",
    "presence",
}
RUN_BY_IMAGE = {"docker", "docker run", "docker jwt"}
RUN_BY_E2E = {"run", "push scripts", "app.py", "full app.py", "test_app.py", "push.py", "push.php"}
RUN_BY_E2E |= {"chat app.py", "chat.html"}
RUN_BY_E2E |= {"http push", "publisher", "php message", "caller", "subscriber", "jwt php", "jwt python", "connect.php"}
RUN_BY_COMPONENTS = {"django app.py", "django views.py", "django test"}
RUN_BY_BROWSER = {
    "page.html",
    "stork.js",
    "stork-pusher.js",
    "pusher page",
    "laravel broadcasting",
    "laravel channels",
    "laravel echo",
}

CITATION = re.compile(r"\bdocs/[\w-]+\.md(?:#[\w-]+)?")
FOREIGN = re.compile(r"\b(?:[A-Z][A-Z_]+\.md|DESIGN|DELIVERY|(?:ENGINE|HOUSE|STYLE|CONTROL)(?=, [\"']|'s\b|[.)]))")
PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]+)`")
# `folder/file.py` (`function`, `Class.method`), or the two in neighbouring cells of a table.
FUNCTIONS = re.compile(PATH.pattern + r"\s+[(|]\s*(`[A-Za-z_][\w.]*`(?:,\s+`[A-Za-z_][\w.]*`)*)\s*[)|]")


def texts() -> dict[Path, str]:
    """All text files of the repository that people write."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {}
    for name in listed.split("\0")[:-1]:
        file = ROOT / name
        if file.suffix in (".png", ".lock", ".woff2") or file == Path(__file__) or not file.is_file():
            continue
        found[file] = file.read_text(errors="replace")
    return found


def test_every_link_leads_to_a_file_and_a_heading():
    assert [wrong for page in MARKDOWN for link in links(page) if (wrong := problem(link, page))] == []


def test_every_citation_of_the_book_leads_to_a_heading():
    wrong = []
    for file, text in texts().items():
        for citation in CITATION.findall(text):
            if why := problem(f"node/{citation}", README):
                wrong.append(f"{file.relative_to(ROOT)}: {why}")
    assert wrong == []


def test_no_citation_of_what_is_not_in_the_repository():
    known = {"README.md", "CHANGELOG.md"}
    wrong = [
        f"{file.relative_to(ROOT)}: {found}"
        for file, text in texts().items()
        for found in FOREIGN.findall(text)
        if found not in known
    ]
    assert wrong == []


def test_every_path_that_a_page_names_exists():
    paths = [(page.name, path) for page in MARKDOWN for path in PATH.findall(page.read_text())]
    assert [(page, path) for page, path in paths if not (ROOT / path).exists()] == []
    assert paths


def defined(file: Path) -> set[str]:
    """The names that a module defines: functions, classes, constants, and ``Class.name`` for members."""

    def names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names(node.body, f"{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return set(names(ast.parse(file.read_text()).body))


def test_every_function_that_a_page_names_is_in_its_file():
    cited = [
        (page.name, path, name)
        for page in MARKDOWN
        for path, names in FUNCTIONS.findall(page.read_text())
        for name in re.findall(r"`([^`]+)`", names)
    ]
    assert [found for found in cited if found[2] not in defined(ROOT / found[1])] == []
    assert len(cited) > 40


def test_every_page_of_the_book_is_linked_from_the_readme():
    assert {f"node/docs/{page.name}" for page in DOCS.glob("*.md")} <= set(links(README))


def test_the_readme_has_at_most_10_kb():
    assert len(README.read_bytes()) <= 10_000


@pytest.mark.parametrize("readme", FOLDER_READMES, ids=FOLDERS)
def test_a_folders_readme_is_short(readme):
    assert 5 <= len(readme.read_text().splitlines()) <= 16


def test_every_code_block_is_run_by_a_test():
    assert [(page, text) for page, name, language, text in blocks() if language and not name] == []
    names = [name for _, name, _, _ in blocks() if name]
    assert sorted(names) == sorted(RUN_HERE | RUN_BY_IMAGE | RUN_BY_COMPONENTS | RUN_BY_E2E | RUN_BY_BROWSER)


def test_the_command_document_is_one():
    command = decode_command(block("command document").encode()).command
    assert (command.kind, command.authid, command.reason, command.id) == ("disconnect", "7", "signed out", "out-7")


def test_the_push_document_is_one():
    push = decode_push(block("push document").encode(), "2026-01-31T12:00:00.000Z")
    assert (push.topics, push.type, push.data, push.id) == (
        ("v1.orders.42",),
        "order_paid",
        b'{"id": 42}',
        "order-42-paid",
    )


@dataclass(frozen=True)
class Extra:
    jwt: JwtSettings = setting(section(JwtSettings), JwtSettings())
    http: HttpSettings = setting(http_section, HttpSettings())
    feeds: Feeds = setting(feeds_section, ())


@pytest.mark.parametrize("name", ["jwt", "http", "feeds"])
def test_the_rules_without_python_are_settings(name):
    settings = read(Extra, json.loads(block(name)), {"STORK_JWT_KEY": "k" * 32, "STORK_HTTP_SECRET": "s"})
    assert getattr(settings, name) != getattr(Extra(), name)


def test_the_webhooks_are_settings(tmp_path):
    (tmp_path / "hooks.json").write_text(block("webhooks"))
    [webhook] = read_webhooks(str(tmp_path / "hooks.json"), {"STORK_HOOK_SECRET": "s" * 20})
    assert webhook.url == "https://www.example.com/stork/events"


def test_the_history_is_the_default():
    assert histories(json.loads(block("history"))) == HistorySettings()


@pytest.mark.parametrize("name", sorted(RUN_BY_IMAGE))
def test_docker_lines_use_ports_and_commands_of_the_image(name):
    exposed = set(re.findall(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0].split())
    for line in block(name).splitlines():
        before, image, command = line.partition(" stork-node")
        assert image, line
        assert command.strip() in {*COMMANDS, ""}
        inside = {port for ports in re.findall(r"-p \S*?([\d-]+)(?= |$)", before) for port in ports.split("-")}
        assert inside <= exposed


def test_the_commands_of_the_book_are_those_of_stork():
    [rows] = tables(DOCS / "operations.md", "command")
    assert {row["command"].strip("`").split()[1] for row in rows} == set(COMMANDS)


def test_the_book_is_in_the_source_distribution_and_in_no_package():
    source = {file.distribution_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert {f"node/docs/{page.name}" for page in DOCS.iterdir()} <= source
    wheel = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert not [path for path in wheel if "docs/" in path or path.endswith(".md")]


def test_anchors_are_githubs():
    assert "the-clients-algorithm" in anchors(DOCS / "delivery.md")


def test_the_handlers_of_presence_are_told():
    space: dict[str, Any] = {}
    exec(block("presence"), space)
    with AppTester(space["stork"]) as tester:
        ann, bob = tester.join("ann"), tester.join("bob")
        for client in (ann, bob):
            client.subscribe("v1.room.7")
        bob.leave()
        assert space["online"] == {("ann", None), ("ann", "v1.room.7")}
