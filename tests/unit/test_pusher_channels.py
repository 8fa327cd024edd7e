import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.protocol.topics import Topic
from stork_node.pusher.channels import MAX_NAME_CHARACTERS, USER_PREFIX, Channel, channel_of
from stork_node.pusher.errors import InvalidChannel
from tests.vector_files import vectors

CHARACTERS = string.ascii_letters + string.digits + "-_=@,.;"
PREFIXES = [
    "",
    "private-",
    "presence-",
    "cache-",
    "private-cache-",
    "presence-cache-",
    "private-encrypted-",
    "private-encrypted-cache-",
]
NAMES = st.builds(str.__add__, st.sampled_from(PREFIXES), st.text(CHARACTERS, min_size=1, max_size=60))
USERS = st.builds(
    str.__add__, st.just(USER_PREFIX), st.text(min_size=1, max_size=19).filter(lambda text: _is_text(text))
)


def _is_text(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@vectors("pusher", "topics")
def test_a_channel_has_one_topic_and_a_topic_one_channel(case):
    channel = Channel.parse(case["channel"])
    assert channel.topic("pusher") == case["topic"]
    assert channel_of(case["topic"], "pusher") == channel


@vectors("pusher", "no_topics")
def test_a_topic_that_no_channel_has_is_none(case):
    assert channel_of(case["topic"], "pusher") is None


@vectors("pusher", "refused_channels")
def test_a_name_that_is_no_channel_is_refused(case):
    with pytest.raises(InvalidChannel) as caught:
        Channel.parse(case["channel"]).topic("pusher")
    assert caught.value.is_too_long is case["is_too_long"]


@given(st.one_of(NAMES, USERS))
def test_the_map_has_an_exact_inverse(name):
    channel = Channel.parse(name)
    topic = channel.topic("pusher")
    assert Topic.parse(topic).uri == topic
    assert channel_of(topic, "pusher") == channel


@given(st.text(string.ascii_letters + "~-._@", max_size=40))
def test_only_the_image_of_a_channel_is_its_topic(rest):
    topic = f"pusher.{rest}"
    channel = channel_of(topic, "pusher")
    assert channel is None or channel.topic("pusher") == topic


def test_no_two_of_many_names_have_the_same_topic():
    chosen = random.Random(16)
    names = {
        chosen.choice(PREFIXES) + "".join(chosen.choices("ab.-~"[:4] + "=1", k=chosen.randint(0, 6)))
        for _ in range(20_000)
    } - {""}
    topics = {Channel.parse(name).topic("p") for name in names}
    assert len(topics) == len(names) > 5_000


@pytest.mark.parametrize(
    ("name", "needs_signature", "is_presence", "is_cache"),
    [
        ("a", False, False, False),
        ("privatea", False, False, False),
        ("Private-a", False, False, False),
        ("cache-a", False, False, True),
        ("private-a", True, False, False),
        ("private-cache-a", True, False, True),
        ("private-encrypted-a", True, False, False),
        ("private-encrypted-cache-a", True, False, True),
        ("presence-a", True, True, False),
        ("presence-cache-a", True, True, True),
        ("#server-to-user-private-a", False, False, False),
    ],
)
def test_a_prefix_says_what_a_channel_is(name, needs_signature, is_presence, is_cache):
    channel = Channel.parse(name)
    assert (channel.needs_signature, channel.is_presence, channel.is_cache) == (needs_signature, is_presence, is_cache)


def test_a_channel_of_a_user_has_its_id():
    assert Channel.parse("#server-to-user-ann@x.org").user == "ann@x.org"
    assert Channel.parse("private-a").user is None


def test_the_longest_name_has_200_characters():
    assert Channel.parse("a" * MAX_NAME_CHARACTERS).topic("pusher") == "pusher.~." + "a" * 200
