import json

import pytest

from stork_node.pusher.errors import InvalidMember
from stork_node.pusher.members import Member, read_channel_data, read_user_data

NO_MEMBERS = ["", "[]", "{}", '{"user_id":true}', '{"user_id":["1"]}', '{"user_id":"\\ud800"}', "\ud800"]


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ('{"user_id":"ann"}', Member("ann")),
        ('{"user_id":10,"user_info":{"name":"Mr. Channels"}}', Member("10", b'{"name":"Mr. Channels"}')),
        ('{"user_id":"1","user_info":null,"more":1}', Member("1")),
        ('{"user_id":"1","user_info":{\n "a" : [1,\n2]}}', Member("1", b'{"a":[1,2]}')),
        ('{"user_id":"' + "a" * 128 + '"}', Member("a" * 128)),
    ],
)
def test_channel_data_names_a_member(text, member):
    assert read_channel_data(text) == member


def test_user_data_names_a_member():
    assert read_user_data('{"id":"7","user_info":{"a":1},"watchlist":["8"]}') == Member("7", b'{"a":1}', ("8",))


@pytest.mark.parametrize("text", NO_MEMBERS, ids=range(len(NO_MEMBERS)))
def test_anything_else_is_no_member(text):
    with pytest.raises(InvalidMember) as caught:
        read_channel_data(text)
    assert caught.value.is_too_large is False


@pytest.mark.parametrize(
    "text",
    [
        '{"id":7}',
        '{"id":"7","watchlist":"8"}',
        '{"id":"7","watchlist":[8]}',
        json.dumps({"id": "7", "watchlist": [str(number) for number in range(101)]}),
    ],
)
def test_a_sign_in_has_texts_as_ids_and_a_short_watchlist(text):
    with pytest.raises(InvalidMember):
        read_user_data(text)


def test_a_watchlist_names_each_user_once():
    assert read_user_data(json.dumps({"id": "7", "watchlist": ["8"] * 150})).watchlist == ("8",)
    assert read_user_data('{"id":"7","watchlist":null}').watchlist == ()


def test_info_has_at_most_one_kibibyte():
    info = '"' + "a" * 1022 + '"'
    member = read_channel_data('{"user_id":"1","user_info":' + info + "}")
    member.check_info()
    assert member.info == info.encode()
    with pytest.raises(InvalidMember) as caught:
        read_channel_data('{"user_id":"1","user_info":"a' + info[1:] + "}").check_info()
    assert caught.value.is_too_large is True
    with pytest.raises(InvalidMember) as caught:
        Member("1", b"1e999").check_info()
    assert caught.value.is_too_large is False
