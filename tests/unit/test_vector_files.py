"""The vectors themselves: each file says what it is, and its tests read it in every language that has the rule."""

import json
from pathlib import Path

import pytest

from tests.vector_files import FOLDER, expand

TESTS = Path(__file__).parents[1]
FILES = sorted(FOLDER.glob("*.json"))
READERS = {
    "close_codes": ("js",),
    "command_documents": (),
    "endings": ("js",),
    "feed_ids": ("js", "php"),
    "positions": ("js",),
    "push_answers": ("php",),
    "publish_server_hosts": (),
    "push_documents": ("php",),
    "pusher": (),
    "recover_answers": ("js",),
    "retry_delays": ("js",),
    "rounded_integers": ("php",),
    "signatures": (),
    "topics": ("js",),
    "webhooks": ("php",),
}
"""By file: the languages that read it beside Python."""


def text_of_tests(language: str) -> str:
    if language == "py":
        files = [path for path in (TESTS / "unit").glob("test_*.py") if path != Path(__file__)]
    else:
        files = list((TESTS / language).glob("*vectors*"))
    return "".join(path.read_text() for path in files).replace("'", '"')


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_has_a_description_and_cases_with_names_of_their_own(path):
    content = json.loads(path.read_text())
    assert content.pop("description").endswith((".", "…"))
    assert content
    for cases in content.values():
        names = [case["name"] for case in cases]
        assert names == list(dict.fromkeys(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_read_in_every_language_that_has_the_rule(path):
    for language in ("py", *READERS[path.stem]):
        assert f'"{path.stem}"' in text_of_tests(language), language


@pytest.mark.parametrize(
    ("short", "meant"),
    [
        ({"$repeat": ["ab", 3]}, "ababab"),
        ({"$numbered": ["v1.a.", 2]}, ["v1.a.0", "v1.a.1"]),
        ({"$nested": 3}, [[[]]]),
        ({"$base64": "/w=="}, b"\xff"),
        ({"$join": ["a", {"$repeat": ["b", 2]}]}, "abb"),
        ({"$join": ["a", {"$base64": "/w=="}]}, b"a\xff"),
        ([{"a": {"$repeat": ["x", 2]}, "b": 1}], [{"a": "xx", "b": 1}]),
    ],
)
def test_a_value_written_in_short_is_expanded(short, meant):
    assert expand(short) == meant
