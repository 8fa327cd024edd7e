"""Presence channels with clients on one node: what these are told."""

import json

import pytest

from stork_node.pusher.errors import RoomFull
from stork_node.pusher.members import Member
from stork_node.pusher.presence.rooms import MOST_MEMBERS, Rooms

TOPIC = "pusher.presence-~.a"
ANN, BOB = Member("ann", b'{"n":1}'), Member("bob", b"null")


def members(rooms, user_id):
    told = json.loads(rooms.members(TOPIC, user_id))
    assert list(told["hash"]) == told["ids"]
    assert told["count"] == len(told["ids"])
    return told["hash"]


def told(rooms, online=(), offline=()):
    """Each frame: its event, its data, and who does not get it."""
    found = []
    for body, exclude in rooms.changed(TOPIC, online, offline):
        frame = json.loads(b"{%b}" % body)
        event = frame["event"].removeprefix("pusher_internal:member_")
        found.append((event, json.loads(frame["data"]), set(exclude)))
    return found


def test_a_member_is_in_its_own_list_before_the_table_has_it():
    rooms = Rooms()
    assert rooms.enter(TOPIC, {"bob": b"null"}, ANN, "s1") == b'{"n":1}'
    assert members(rooms, "ann") == {"bob": None, "ann": {"n": 1}}
    rooms.enter(TOPIC, {"bob": b"null"}, Member("cid"), "s2")
    assert members(rooms, "cid") == {"bob": None, "cid": None}


def test_a_change_is_told_to_all_but_the_user_itself():
    rooms = Rooms()
    rooms.enter(TOPIC, {}, ANN, "s1")
    rooms.enter(TOPIC, {}, BOB, "s2")
    assert told(rooms, [("ann", b'{"n":1}'), ("bob", b"null")]) == [
        ("added", {"user_id": "ann", "user_info": {"n": 1}}, {"s1"}),
        ("added", {"user_id": "bob", "user_info": None}, {"s2"}),
    ]
    assert members(rooms, "ann") == {"ann": {"n": 1}, "bob": None}
    assert told(rooms, offline=["bob", "nobody"]) == [("removed", {"user_id": "bob"}, {"s2"})]
    assert told(rooms, offline=["bob"]) == []


def test_the_first_information_of_a_user_stays():
    rooms = Rooms()
    rooms.enter(TOPIC, {}, ANN, "s1")
    assert rooms.enter(TOPIC, {}, Member("ann", b"2"), "s2") == b'{"n":1}'
    told(rooms, [("ann", b'{"n":1}')])
    assert told(rooms, [("ann", b"3")]) == []
    rooms.exit(TOPIC, "ann", "s1")
    assert rooms.enter(TOPIC, {}, Member("ann", b"4"), "s3") == b'{"n":1}'
    other = Rooms()
    assert other.enter(TOPIC, {"ann": b"5"}, ANN, "s1") == b"5"


def test_a_room_without_clients_is_forgotten():
    rooms = Rooms()
    rooms.enter(TOPIC, {"old": b"1"}, ANN, "s1")
    rooms.enter(TOPIC, {}, ANN, "s2")
    rooms.exit(TOPIC, "ann", "s1")
    assert members(rooms, "ann") == {"old": 1, "ann": {"n": 1}}
    rooms.exit(TOPIC, "ann", "s2")
    assert told(rooms, [("bob", b"null")]) == []
    rooms.enter(TOPIC, {}, BOB, "s3")
    assert members(rooms, "bob") == {"bob": None}


def test_a_full_room_takes_its_members_only():
    rooms = Rooms()
    online = {str(number): b"null" for number in range(MOST_MEMBERS - 1)}
    rooms.enter(TOPIC, online, ANN, "s1")
    with pytest.raises(RoomFull):
        rooms.enter(TOPIC, {}, BOB, "s2")
    rooms.enter(TOPIC, {}, ANN, "s3")
    rooms.enter(TOPIC, {}, Member("7"), "s4")
    full = Rooms()
    with pytest.raises(RoomFull):
        full.enter(TOPIC, online | {"more": b"null"}, ANN, "s1")
    assert told(full, [("x", b"1")]) == []


def test_ids_and_infos_of_any_text_are_json():
    rooms = Rooms()
    rooms.enter(TOPIC, {'"\\\u2028': b'"\\""'}, Member("Zoë", '"ë"'.encode()), "s1")
    assert members(rooms, "Zoë") == {'"\\\u2028': '"', "Zoë": "ë"}
    assert told(rooms, [('"', b"{}")])[0][1] == {"user_id": '"', "user_info": {}}


def test_what_has_changed_since_a_list_was_told():
    rooms = Rooms()
    rooms.enter(TOPIC, {"bob": b"1", "cid": b"2"}, ANN, "s1")
    before = rooms.shown(TOPIC)
    assert list(rooms.changes(TOPIC, "ann", before)) == []
    told(rooms, [("ann", b"0"), ("dan", b"3")], ["bob"])
    frames = [json.loads(b"{%b}" % body) for body in rooms.changes(TOPIC, "ann", before)]
    assert [(frame["event"][-7:], json.loads(frame["data"])["user_id"]) for frame in frames] == [
        ("removed", "bob"),
        ("r_added", "dan"),
    ]
