"""Topics and patterns: what parses, what does not and why, and that nothing reaches beyond its feed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import InvalidTopic
from stork_node.protocol.topics import MAX_TOPIC_LENGTH, Topic, is_part

LETTERS = "abcXYZ019_-:@~"
parts = st.text(LETTERS, min_size=1, max_size=80)
anything = st.text(max_size=300) | st.text(LETTERS + ". #/*\n\0é", max_size=30)


@given(parts, parts, parts)
def test_what_is_made_of_three_parts_parses_to_them_and_back(version, feed, feed_id):
    topic = Topic.parse(f"{version}.{feed}.{feed_id}")
    assert topic == Topic(version, feed, feed_id)
    assert str(topic) == topic.uri == f"{version}.{feed}.{feed_id}"
    assert Topic.parse(topic.uri) == topic


@given(anything)
def test_any_text_is_a_topic_that_comes_back_or_is_refused_by_name(text):
    parts = text.split(".")
    if len(parts) == 3 and all(map(is_part, parts)) and len(text) <= MAX_TOPIC_LENGTH:
        assert Topic.parse(text).uri == text
    else:
        with pytest.raises(InvalidTopic) as refused:
            Topic.parse(text)
        assert refused.value.topic == text
        assert str(refused.value) == f"{text!r} is not a topic: {refused.value.reason}"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "1 parts where version.feed.id has 3"),
        ("v1.orders", "2 parts where version.feed.id has 3"),
        ("v1.orders.42.items", "4 parts where version.feed.id has 3"),
        ("v1.orders.", "an empty part"),
        ("..", "an empty part"),
        ("v1..42", "an empty part"),
        ("v1.orders.4 2", "'4 2' is not made of letters, digits and _ - : @ ~"),
        ("v1.orders.42\n", "'42\\n' is not made of letters, digits and _ - : @ ~"),
        ("v1.orders.ü", "'ü' is not made of letters, digits and _ - : @ ~"),
        ("v1.orders.٤٢", "'٤٢' is not made of letters, digits and _ - : @ ~"),
        ("v1.orders.*", "'*' is not made of letters, digits and _ - : @ ~"),
        ("v1.orders.#", "'#' is not made of letters, digits and _ - : @ ~"),
        ("v1.o." + "x" * 251, "256 characters, at most 255 are allowed"),
    ],
)
def test_what_is_no_topic_is_refused_with_the_reason(uri, reason):
    with pytest.raises(InvalidTopic) as refused:
        Topic.parse(uri)
    assert refused.value.reason == reason


def test_a_topic_of_255_characters_is_one():
    uri = "v1.o." + "x" * 250
    assert Topic.parse(uri).uri == uri


@pytest.mark.parametrize(
    ("uri", "match", "topic"),
    [
        ("v1.orders.42", "exact", Topic("v1", "orders", "42")),
        ("v1.orders.", "prefix", Topic("v1", "orders", "", "prefix")),
        ("v1.orders.4", "prefix", Topic("v1", "orders", "4", "prefix")),
        ("v1.orders.", "wildcard", Topic("v1", "orders", "", "wildcard")),
    ],
)
def test_a_pattern_within_one_feed_parses(uri, match, topic):
    assert Topic.parse_pattern(uri, match) == topic
    assert topic.uri == uri


@pytest.mark.parametrize(
    ("uri", "match", "reason"),
    [
        ("v1.orders.", "exact", "an empty part"),
        ("", "prefix", "a prefix pattern must name version.feed. in full"),
        ("v1.", "prefix", "a prefix pattern must name version.feed. in full"),
        ("v1.orders", "prefix", "a prefix pattern must name version.feed. in full"),
        (".orders.", "prefix", "a prefix pattern must name version.feed. in full"),
        ("v1.orders.4.2", "prefix", "'4.2' cannot follow version.feed. in a prefix pattern"),
        ("", "wildcard", "a wildcard pattern must name version.feed. in full"),
        ("v1..42", "wildcard", "a wildcard pattern must name version.feed. in full"),
        ("..", "wildcard", "a wildcard pattern must name version.feed. in full"),
        ("v1.orders.42", "wildcard", "'42' cannot follow version.feed. in a wildcard pattern"),
        ("v1.orders..", "wildcard", "'.' cannot follow version.feed. in a wildcard pattern"),
        ("v1.orders." + "x" * 250, "prefix", "260 characters, at most 255 are allowed"),
    ],
)
def test_a_pattern_that_reaches_further_is_refused_with_the_reason(uri, match, reason):
    with pytest.raises(InvalidTopic) as refused:
        Topic.parse_pattern(uri, match)
    assert refused.value.reason == reason


@given(anything, st.sampled_from(["prefix", "wildcard"]), parts, parts, parts)
def test_no_pattern_covers_a_topic_of_another_feed(uri, match, version, feed, feed_id):
    try:
        pattern = Topic.parse_pattern(uri, match)
    except InvalidTopic:
        return
    other = Topic(version, feed, feed_id)
    if match == "prefix":
        covers = other.uri.startswith(uri)
    else:  # a wildcard pattern's empty components stand for any one, WAMP's advanced profile
        mine, theirs = uri.split("."), other.uri.split(".")
        covers = len(mine) == len(theirs) and all(a in ("", b) for a, b in zip(mine, theirs, strict=True))
    if covers:
        assert (other.version, other.feed) == (pattern.version, pattern.feed)
