"""Topics and patterns: what parses, what does not and why, and that nothing reaches beyond its feed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node import Stork
from stork_node.errors import DeclarationError, InvalidTopic
from stork_node.protocol.topics import MAX_TOPIC_LENGTH, Topic, feed_id, is_part
from tests.vector_files import vectors

LETTERS = "abcXYZ019_-:@~"
parts = st.text(LETTERS, min_size=1, max_size=80)
anything = st.text(max_size=300) | st.text(LETTERS + ". #/*\n\0é", max_size=30)


@given(parts, parts, parts)
def test_what_is_made_of_three_parts_parses_to_them_and_back(version, feed, id):
    topic = Topic.parse(f"{version}.{feed}.{id}")
    assert topic == Topic(version, feed, id)
    assert str(topic) == topic.uri == f"{version}.{feed}.{id}"
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


@vectors("topics", "accepted")
def test_an_accepted_topic_or_pattern_parses_to_its_parts(case):
    topic = Topic.parse_pattern(case["uri"], case["match"])
    assert topic == Topic(case["version"], case["feed"], case["feed_id"], case["match"])
    assert topic.uri == case["uri"]


@vectors("topics", "refused")
def test_what_is_no_topic_and_no_pattern_is_refused_with_the_reason(case):
    with pytest.raises(InvalidTopic) as refused:
        Topic.parse_pattern(case["uri"], case["match"])
    assert refused.value.reason == case["reason"]


@vectors("topics", "reserved")
def test_a_feed_of_the_nodes_or_the_routers_own_topics_cannot_be_declared(case):
    topic = Topic.parse_pattern(case["uri"], case["match"])
    with pytest.raises(DeclarationError, match="is not for applications"):
        Stork().feed(topic.version, topic.feed)


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


@vectors("feed_ids", "ids")
def test_any_text_is_the_id_of_a_feed(case):
    assert feed_id(case["text"]) == case["id"]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_an_id_is_a_part_of_a_topic_and_no_two_texts_have_one(text, other):
    assert is_part(feed_id(text))
    try:
        assert (feed_id(text) == feed_id(other)) == (text == other)
    except InvalidTopic:
        assert any("\ud800" <= character <= "\udfff" for character in other)


@pytest.mark.parametrize("text", ["", "\ud800", "a\udfff"])
def test_what_is_no_text_has_no_id(text):
    with pytest.raises(InvalidTopic):
        feed_id(text)
