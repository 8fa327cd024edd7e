"""Principal, Deny and ClientSession: what they refuse, and how they read what WAMP tells."""

import dataclasses
import math
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from stork_node import Call, ClientSession, Deny, Principal
from stork_node.application.permission import Permission
from stork_node.application.values import peer_host
from stork_node.errors import InvalidAnswer


def test_a_principal_needs_only_an_authid():
    principal = Principal("42")
    assert principal == Principal(authid="42", role="frontend", extra={}, private={}, expires_at=None)
    assert principal.expires_at_s is None


@pytest.mark.parametrize(
    ("expires_at", "seconds"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.5, 1_700_000_000.5),
        (0, 0.0),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 1_700_000_000.0),
        (datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))), 1_700_000_000.0),
    ],
)
def test_an_expiry_is_unix_time_or_a_datetime_with_a_zone(expires_at, seconds):
    assert Principal("42", expires_at=expires_at).expires_at_s == seconds


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"authid": 42}, TypeError, "authid is of type int, want a str: str(…)"),
        ({"authid": None}, TypeError, "authid is of type NoneType, want a str"),
        ({"authid": ""}, ValueError, "authid is empty"),
        ({"authid": "\ud800"}, ValueError, "authid holds a lone surrogate, which UTF-8 does not have"),
        ({"authid": "a", "role": ""}, ValueError, "role is empty"),
        ({"authid": "a", "role": None}, TypeError, "role is of type NoneType, want a str"),
        ({"authid": "a", "extra": []}, TypeError, "extra is of type list, want a dict"),
        (
            {"authid": "a", "private": {"user": uuid.UUID(int=1)}},
            TypeError,
            "private['user'] is of type UUID, which JSON does not have",
        ),
        (
            {"authid": "a", "expires_at": datetime(2026, 1, 1)},
            ValueError,
            "expires_at is a datetime without a time zone (want datetime.now(UTC) + …)",
        ),
        (
            {"authid": "a", "expires_at": "tomorrow"},
            TypeError,
            "expires_at is of type str, want a datetime or Unix time in seconds",
        ),
        (
            {"authid": "a", "expires_at": timedelta(hours=1)},
            TypeError,
            "expires_at is of type timedelta, want a datetime or Unix time in seconds",
        ),
        (
            {"authid": "a", "expires_at": True},
            TypeError,
            "expires_at is of type bool, want a datetime or Unix time in seconds",
        ),
        (
            {"authid": "a", "expires_at": math.nan},
            ValueError,
            "expires_at is nan, want a datetime or Unix time in seconds",
        ),
        (
            {"authid": "a", "expires_at": 1_700_000_000_000},
            ValueError,
            "expires_at is 1700000000000, which is no Unix time in seconds (milliseconds?)",
        ),
    ],
)
def test_an_invalid_principal_cannot_be_made(fields, error, text):
    with pytest.raises(error) as refused:
        Principal(**fields)
    assert str(refused.value) == text


def test_a_principal_keeps_what_it_was_made_of_and_arrives_so():
    groups = ["a"]
    principal = Principal("42", private={"groups": groups, "pair": (1, 2)})
    groups.append("admin")
    assert principal.private == {"groups": ["a"], "pair": [1, 2]}


def test_a_principals_private_facts_are_not_in_its_text():
    assert "secret" not in repr(Principal("42", private={"token": "secret"}))
    assert "secret" not in repr(ClientSession(id=1, authid="42", private={"token": "secret"}))


@pytest.mark.parametrize("value", [Principal("42"), Deny(), ClientSession(id=1, authid="42")])
def test_values_are_frozen(value):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, "changed")


def test_a_denial_is_false():
    assert not Deny()
    assert not Deny("expired", retry=True)


def test_a_denials_reason_can_travel_whatever_it_repeats():
    assert Deny("\0 \ud800").reason == "? ?"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((None,), "reason is of type NoneType, want a str"), (("no", 1), "retry is of type int, want True or False")],
)
def test_an_invalid_denial_cannot_be_made(arguments, text):
    with pytest.raises(TypeError) as refused:
        Deny(*arguments)
    assert str(refused.value) == text


def test_a_session_is_read_from_what_wamp_and_the_guard_tell():
    session = ClientSession.parse(
        {
            "session": 7,
            "authid": "alice",
            "authrole": "frontend",
            "realm": "realm1",
            "authmethod": "ticket",
            "authprovider": "dynamic",
            "authextra": {"name": "Alice"},
            "private": {"groups": ["staff"]},
            "transport": {"peer": "tcp4:192.0.2.1:40000", "http_headers_received": {}},
            "something": "newer",
        }
    )
    assert session == ClientSession(
        id=7,
        authid="alice",
        role="frontend",
        realm="realm1",
        extra={"name": "Alice"},
        private={"groups": ["staff"]},
        authmethod="ticket",
        authprovider="dynamic",
        address="192.0.2.1",
    )


@pytest.mark.parametrize(
    "details",
    [
        {},
        dict.fromkeys(
            [
                "session",
                "authid",
                "authrole",
                "realm",
                "authmethod",
                "authprovider",
                "authextra",
                "private",
                "transport",
            ]
        ),
    ],
)
def test_what_is_not_told_of_a_session_is_empty_and_never_none(details):
    assert ClientSession.parse(details) == ClientSession(id=0, authid="", role="", realm="")


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("tcp4:127.0.0.1:52914", "127.0.0.1"),
        ("tcp6:::1:52914", "::1"),
        ("tcp6:::ffff:192.0.2.1:52914", "192.0.2.1"),
        ("tcp6:2001:db8::7:443", "2001:db8::7"),
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8::7", "2001:db8::7"),
        ("unix:/run/stork.sock", ""),
        ("unix", ""),
        ("process:14", ""),
        ("unknown", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_host_of_a_peer(peer, host):
    assert peer_host(peer) == host


def test_a_call_has_no_arguments_unless_it_says_so():
    session = ClientSession(id=1, authid="42")
    assert Call(session=session) == Call(session=session, args=(), kwargs={})


@pytest.mark.parametrize(
    "principal",
    [
        Principal("joe"),
        Principal("joe", role="admin", extra={"a": [1]}, private={"b": None}, expires_at=17.5),
    ],
)
def test_a_principal_arrives_at_the_guard_as_it_was(principal):
    assert Principal.from_wire(principal.to_wire()) == principal


@pytest.mark.parametrize("deny", [Deny(), Deny("expired", retry=True)])
def test_a_deny_arrives_at_the_guard_as_it_was(deny):
    assert Deny.from_wire(deny.to_wire()) == deny


@pytest.mark.parametrize("permission", [Permission(True), Permission(False, 2.5, "not yours")])
def test_a_permission_arrives_at_the_guard_as_it_was(permission):
    assert Permission.from_wire(permission.to_wire()) == permission


@pytest.mark.parametrize("address", ["192.0.2.1", "fd00::7", ""])
def test_a_session_arrives_at_the_application_as_it_was(address):
    session = ClientSession(
        id=7, authid="joe", extra={"a": 1}, private={"b": [2]}, authmethod="ticket", address=address
    )
    assert ClientSession.parse(session.to_wire()) == session


@pytest.mark.parametrize(
    "wrong",
    [
        {"authid": None},
        {"authid": ""},
        {"authid": "\0"},
        {"role": None},
        {"extra": [1]},
        {"private": "x"},
        {"extra": {"a": object()}},
        {"expires_at": "tomorrow"},
        {"expires_at": True},
        {"expires_at": float("nan")},
        {"expires_at": 1e15},
    ],
)
def test_a_principal_that_cannot_be_is_an_invalid_answer(wrong):
    with pytest.raises(InvalidAnswer):
        Principal.from_wire({"allow": True, "authid": "joe", "role": "frontend"} | wrong)
