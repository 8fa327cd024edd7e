"""The keys of the HTTP API: settings that are read, and keys that are found."""

import hashlib
import json
import re

import pytest

from stork_node.api.keys import Keyring, TopicPattern
from stork_node.api.settings import ApiSettings
from stork_node.config.settings import read
from stork_node.errors import ConfigError
from tests.book import block

LONG = "0123456789abcdefghij"
OTHER = "zyxwvutsrqponmlkjihg"


def settings(*keys, environ=None):
    return read(ApiSettings, {"keys": list(keys)}, environ or {}, "extra")


def problems(*keys, environ=None):
    with pytest.raises(ConfigError) as caught:
        settings(*keys, environ=environ)
    return [str(problem) for problem in caught.value.problems]


def key(**changes):
    return {"name": "shop", "key": LONG, "rights": ["push"]} | changes


def test_a_key_comes_from_a_variable_or_a_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(OTHER + "\n")
    found = settings(
        key(key="${SHOP_KEY}", rights=["push", "read"], topics=["v1.orders.*"]),
        {"name": "file", "key_file": str(file), "rights": ["call"]},
        environ={"SHOP_KEY": LONG},
    ).keys
    assert [(each.name, sorted(each.rights)) for each in found] == [("shop", ["push", "read"]), ("file", ["call"])]
    ring = Keyring(found)
    assert ring.find(LONG.encode()) is found[0]
    assert ring.find(OTHER.encode()) is found[1]


@pytest.mark.parametrize(
    "presented", [b"", LONG[:-1].encode(), LONG.encode() + b"x", b"\xff" * 20, LONG.upper().encode()]
)
def test_other_bytes_find_no_key(presented):
    assert Keyring(settings(key()).keys).find(presented) is None


def test_the_example_of_the_book_has_two_keys():
    found = read(ApiSettings, json.loads(block("http keys")), {"SHOP_KEY": LONG, "MONITOR_KEY": OTHER}).keys
    assert [(each.name, sorted(each.rights)) for each in found] == [("shop", ["push"]), ("monitor", ["read"])]


def test_a_key_without_a_value_is_left_out():
    assert settings(key(key="${STORK_API_KEY:-}")).keys == ()


def test_no_text_shows_a_key():
    assert LONG not in repr(settings(key()))
    assert hashlib.sha256(LONG.encode()).digest() == settings(key()).keys[0].digest
    for wrong in (key(rights=[]), key(topics="x"), key(key_file="x"), [LONG], LONG, key(key=LONG[:19])):
        assert not [text for text in problems(wrong) if LONG[:19] in text]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (key(key="short"), "extra.keys[0].key: a key has at least 20 characters (openssl rand -hex 32)"),
        (key(key="with a space in its text"), "extra.keys[0].key: a key has ASCII characters only, and no space"),
        (key(key="äääääääääääääääääääää"), "extra.keys[0].key: a key has ASCII characters only, and no space"),
        (key(key=5), 'extra.keys[0].key: is not a text (want "${SHOP_KEY}")'),
        (key(name=" "), "extra.keys[0].name: is missing (want the name of the program that has the key)"),
        (
            key(rights=["write"]),
            "extra.keys[0].rights: is not a list of rights (want some of push, command, read, call)",
        ),
        (
            key(rights=[["push"]]),
            "extra.keys[0].rights: is not a list of rights (want some of push, command, read, call)",
        ),
        (key(key_file="/x"), "extra.keys[0].key: is missing, or key_file is there too (want one of the two)"),
        (key(right=["push"]), "extra.keys[0].right: unknown setting, known are name, key, key_file, rights, topics"),
        (
            key(topics=["v1.*.1"]),
            "extra.keys[0].topics[0]: 'v1.*.1' is not a topic of a key (want v1.orders.42 or v1.orders.*)",
        ),
        (
            {"name": "shop", "key_file": "/no/such", "rights": ["push"]},
            "extra.keys[0].key_file: '/no/such' cannot be read: No such file or directory",
        ),
        ("text", 'extra.keys[0]: is not a key (want {"name", "key", "rights"})'),
    ],
)
def test_a_wrong_key_is_named_with_its_place(wrong, text):
    assert problems(wrong) == [text]


def test_two_keys_differ_in_name_and_text():
    assert problems(key(), key(key=OTHER)) == ["extra.keys[1].name: 'shop' is the name of another key"]
    assert problems(key(), key(name="b")) == ["extra.keys[1].key: is the same as another key"]


@pytest.mark.parametrize(
    ("pattern", "covered", "others"),
    [
        ("v1.orders.42", ["v1.orders.42"], ["v1.orders.421", "v1.orders"]),
        ("v1.orders.*", ["v1.orders.42", "v1.orders.a"], ["v1.orders", "v1.ordersx.1", "v2.orders.1"]),
        ("v1.*", ["v1.orders.42", "v1.a.b"], ["v10.a.b"]),
        ("*", ["v1.orders.42"], []),
    ],
)
def test_a_pattern_covers_topics(pattern, covered, others):
    parsed = TopicPattern.parse(pattern)
    assert all(map(parsed.covers, covered))
    assert not any(map(parsed.covers, others))


@pytest.mark.parametrize("wrong", ["", "v1.or*", "**", "*.x", "v1.*.*", 5, None, "a b"])
def test_other_patterns_are_refused(wrong):
    with pytest.raises(ValueError, match=re.escape("is not a topic of a key")):
        TopicPattern.parse(wrong)


def test_a_key_with_topics_allows_these_only():
    [found] = settings(key(topics=["v1.orders.*", "v1.news.1"])).keys
    assert found.allows(["v1.orders.1", "v1.news.1"])
    assert not found.allows(["v1.orders.1", "v1.news.2"])
    assert settings(key()).keys[0].allows(["v1.any.1"])


def test_pushes_a_second_are_a_whole_number():
    with pytest.raises(ConfigError, match="lets nobody push"):
        read(ApiSettings, {"limits": {"pushes_per_second": 0}}, {})
