"""Whom a command binds: sessions by their marks, subscriptions by what they could get, answers by their keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.guard.core import cache_key, is_named
from stork_node.nodes.binding import names_session, names_subscription
from stork_node.nodes.session_marks import Binding, Opening, SessionMarks
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position

BAN = Command("disconnect", authid="7")


def at(sequence: int, epoch: str = "e") -> Position:
    return Position(epoch, sequence)


def marks(obeyed: int | None = 10, epoch: str = "e") -> SessionMarks:
    found = SessionMarks()
    found.obeyed = None if obeyed is None else at(obeyed, epoch)
    return found


def bindings(found: SessionMarks, *sequences: int) -> list[Binding]:
    return [found.binding(1, at(sequence)) for sequence in sequences]


def test_commands_between_the_marks_are_doubtful():
    found = marks(10)
    found.joined(1, found.open())
    assert bindings(found, 10, 11, 99) == [Binding.OLDER, Binding.DOUBTFUL, Binding.DOUBTFUL]
    found.lease_sent(1)
    found.lease_answered(1, at(12))
    assert bindings(found, 10, 11, 12, 13) == [Binding.OLDER, Binding.DOUBTFUL, Binding.DOUBTFUL, Binding.BINDS]


def test_the_answer_to_a_lease_from_before_the_welcome_says_nothing():
    found = marks()
    found.lease_sent(1)
    found.joined(1, found.open())
    found.lease_answered(1, at(12))
    assert bindings(found, 13) == [Binding.DOUBTFUL]
    found.lease_sent(2)
    found.lease_sent(3)
    found.lease_answered(3, at(14))  # the answer to 2 was lost
    assert bindings(found, 14, 15) == [Binding.DOUBTFUL, Binding.BINDS]
    found.lease_answered(4, at(20))
    assert bindings(found, 15) == [Binding.BINDS]


def test_a_session_of_an_older_epoch_is_older_than_all_of_the_new_one():
    found = marks(10, "former")
    found.joined(1, found.open())
    found.lease_sent(1)
    found.lease_answered(1, at(12, "former"))
    assert bindings(found, 1, 11) == [Binding.BINDS, Binding.BINDS]


def test_a_session_that_nobody_let_in_here_is_older_than_nothing():
    found = marks()
    found.joined(1, None)
    assert bindings(found, 1) == [Binding.DOUBTFUL]
    found.left(1)
    found.left(1)
    assert vars(found)["_low"] == {}


def test_a_command_while_a_ticket_is_out_names_the_session_to_come():
    found = marks(10)
    opening = found.open()
    assert not found.missed(opening, 1, "7", "frontend")
    found.note(at(11), BAN)
    found.obeyed = at(11)
    assert found.missed(opening, 1, "7", "frontend")
    assert not found.missed(opening, 1, "8", "frontend")
    assert not found.missed(found.open(), 1, "7", "frontend")


def test_whoever_opens_while_commands_are_missed_is_not_let_in():
    found = marks(10)
    opening = found.open()
    found.lose()
    assert found.missed(opening, 1, "8", "frontend")
    assert not found.missed(found.open(), 1, "8", "frontend")


def test_more_commands_than_are_kept_count_as_missed():
    found = marks(0)
    opening = found.open()
    for sequence in range(1, 10_002):
        found.note(at(sequence), BAN)
    assert found.missed(opening, 1, "8", "frontend")
    assert not found.missed(Opening(at(1), 0), 1, "8", "frontend")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (Command("disconnect", authid="7"), True),
        (Command("disconnect", authid="8"), False),
        (Command("refresh", session=1), True),
        (Command("refresh", session=2), False),
        (Command("disconnect", role="frontend"), True),
        (Command("disconnect", role="admin"), False),
        (Command("disconnect", topic="v1.a.1"), False),
        (Command("unsubscribe", topic="v1.a.1"), True),
        (Command("unsubscribe", topic="v1.a.1", authid="8"), False),
        (Command("forget", authid="7"), False),
    ],
)
def test_a_command_names_sessions_by_what_they_are(command, named):
    assert names_session(command, 1, "7", "frontend") == named


PARTS = st.sampled_from(["a", "b", "ab"])
TOPICS = st.tuples(PARTS, PARTS, PARTS).map(".".join)
EVERY_PART = ["a", "b", "ab", "aa", "abab"]
EVERY_TOPIC = [f"{one}.{two}.{three}" for one in EVERY_PART for two in EVERY_PART for three in EVERY_PART]
PATTERNS = st.one_of(
    st.tuples(st.just("exact"), TOPICS),
    st.tuples(st.just("prefix"), TOPICS.flatmap(lambda topic: st.integers(0, len(topic)).map(lambda n: topic[:n]))),
    st.tuples(st.just("wildcard"), st.tuples(*[PARTS | st.just("")] * 3).map(".".join)),
    st.tuples(st.just("wildcard"), st.tuples(*[PARTS | st.just("")] * 2).map(".".join)),
)


def gets(match: str, uri: str, topic: str) -> bool:
    """WAMP's matching, by its definition."""
    if match == "exact":
        return uri == topic
    if match == "prefix":
        return topic.startswith(uri)
    wanted, parts = uri.split("."), topic.split(".")
    return len(wanted) == len(parts) and all(want in ("", part) for want, part in zip(wanted, parts, strict=True))


@given(PATTERNS, TOPICS)
def test_a_subscription_is_named_by_a_topic_that_it_gets(pattern, topic):
    match, uri = pattern
    assert names_subscription(Command("unsubscribe", topic=topic), uri, match) == gets(match, uri, topic)


@given(PATTERNS, TOPICS)
def test_a_subscription_is_named_by_a_feed_of_its_topics(pattern, topic):
    match, uri = pattern
    feed = topic.rpartition(".")[0]
    could = any(gets(match, uri, each) for each in EVERY_TOPIC if each.startswith(f"{feed}."))
    assert names_subscription(Command("unsubscribe", feed=feed), uri, match) == could


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (Command("forget", authid="7"), True),
        (Command("forget", authid="8"), False),
        (Command("forget", topic="v1.a.1"), True),
        (Command("forget", topic="v1.a.2"), False),
        (Command("forget", feed="v1.a"), True),
        (Command("forget", authid="7", feed="v1.b"), False),
        (Command("disconnect", role="frontend"), True),
        (Command("disconnect", role="admin"), False),
        (Command("refresh", session=4711), True),
        (Command("unsubscribe", topic="v1.a.1", authid="8"), False),
    ],
)
def test_a_command_names_the_answers_of_those_whom_it_names(command, named):
    key = cache_key(None, "frontend", "7", "subscribe", "v1.a.1", "exact")
    assert is_named(command, frozenset({"7"}), key) == named


def test_an_answer_about_a_call_is_named_by_its_user_only():
    key = cache_key(None, "frontend", "7", "call", "v1.a.1", "exact")
    assert not is_named(Command("forget", topic="v1.a.1"), frozenset(), key)
    assert is_named(Command("forget", authid="7"), frozenset(), key)
    assert not is_named(Command("refresh", session=4711), frozenset(), key)  # it is not here
