"""Prose that a test can hold: short sentences in the book, short names of tests, and no name that was replaced."""

import re
import subprocess
from pathlib import Path

from tests.book import PAGES, ROOT
from tests.prose import sentences, test_names, words

FOLDERS = ("node", "node/php", "components", ".crossbar", "scripts", "tests")
TEXTS = (*PAGES, *(ROOT / folder / "README.md" for folder in FOLDERS))
LONGEST_SENTENCE = 24  # words; a colon or semicolon ends a sentence, too
LONGEST_NAME = 70
# Names that the code had once. Each was a metaphor, or stood for several things.
REPLACED = {
    "AwakeClock": "SuspendAwareClock",
    "Asker": "HandlerContext or ApplicationClient",
    "Doorkeeper": "ZapHandler",
    "Hopper": "ThreadSwitcher",
    "Lane": "DirectConnection",
    "Lanes": "ThreadPools",
    "Nonsense": "InvalidAnswer",
    "NotAsKnown": "Incompatible",
    "Observations": "SelfCleaningUriMap",
    "Orphans": "CallsOfGoneSessions",
    "Parcel": "SendBatch",
    "hazards": "client_limits",
    "http_channel": "http.channel",
    "json_limits": "push_limits",
    "keep_little": "connection_memory",
    "leave_what_is_here_alone": "freeze_startup_objects",
    "plain_data": "json_text, msgpack and cbor",
    "public_way": "fallback_publish",
    "sees_foreign": "sees_unknown_source",
    "upgrade_at_once": "read_http_here",
}
# Phrases that readers had to decode; each has a plain form.
RIDDLES = (
    "is believed, and nothing else",
    "what it is told",
    "gives way to",
    "whoever asks",
    "whom to ask to be",
    "Nothing that is not",
)


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "node", "components", "scripts", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name.endswith(".py")]
    return [file for file in files if file.exists() and file != Path(__file__)]


def test_sentences_of_the_readme_and_the_book_are_short():
    long = [
        (page.name, sentence) for page in TEXTS for sentence in sentences(page) if words(sentence) > LONGEST_SENTENCE
    ]
    assert long == []


def test_a_sentence_ends_at_a_full_stop_a_colon_and_a_cell(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("One [link](x.md) is\nshort. Two: `a b` is one word\n\n| a cell | another |\n")
    assert list(sentences(page)) == ["One link is short.", "Two:", "code is one word", "a cell", "another"]


def test_names_of_tests_are_short():
    assert [(file.name, name) for file, name in test_names() if len(name) > LONGEST_NAME] == []


def test_no_replaced_name_is_in_the_code():
    pattern = re.compile(rf"\b(?:{'|'.join(REPLACED)})\b")
    found = [(file.name, name, REPLACED[name]) for file in sources() for name in pattern.findall(file.read_text())]
    assert found == []


def test_no_known_riddle_is_in_the_product():
    product = [file for file in sources() if "tests" not in file.relative_to(ROOT).parts]
    texts = {file: file.read_text() for file in [*product, *TEXTS]}
    assert [(file.name, riddle) for file, text in texts.items() for riddle in RIDDLES if riddle in text] == []
