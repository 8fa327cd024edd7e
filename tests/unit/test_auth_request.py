"""The request that an authenticator gets."""

import pytest

from stork_node import AuthRequest
from stork_node.application.auth_request import parse_cookies

# As Crossbar 26.10 tells a dynamic authenticator (crossbar.router.auth.ticket, autobahn's TransportDetails.marshal).
DETAILS = {
    "ticket": "s3cret",
    "session": 5471153246813,
    "authmethod": "ticket",
    "authextra": {},
    "transport": {
        "channel_type": "tcp",
        "channel_framing": "websocket",
        "peer": "tcp4:192.0.2.1:40000",
        "http_headers_received": {
            "host": "localhost:8080",
            "cookie": "sid=abc; theme=dark",
            "authorization": "Bearer s3cret",
        },
    },
}


def test_a_request_is_read_from_what_crossbar_tells():
    request = AuthRequest.parse("realm1", "alice", DETAILS)
    assert request == AuthRequest(
        ticket="s3cret",
        realm="realm1",
        authid="alice",
        headers=DETAILS["transport"]["http_headers_received"],
        cookies={"sid": "abc", "theme": "dark"},
        address="192.0.2.1",
    )


@pytest.mark.parametrize("transport", [None, {}, {"peer": "unix", "http_headers_received": None}])
def test_a_request_without_http_has_no_headers_and_no_address(transport):
    request = AuthRequest.parse("realm1", None, {"ticket": "t", "transport": transport})
    assert (request.authid, dict(request.headers), request.cookies, request.address) == (None, {}, {}, "")


def test_header_names_are_found_in_any_case():
    request = AuthRequest(ticket="t", headers={"User-Agent": "x"})
    assert request.headers["user-agent"] == request.headers["USER-AGENT"] == request.headers.get("User-Agent") == "x"
    assert "user-AGENT" in request.headers
    assert 3 not in request.headers
    assert request.headers.get("Origin") is None
    assert len(request.headers) == 1


def test_no_secret_is_in_a_requests_text():
    text = repr(AuthRequest.parse("realm1", "alice", DETAILS))
    assert "s3cret" not in text
    assert "abc" not in text
    assert "alice" in text


@pytest.mark.parametrize(
    ("ticket", "authid", "text"),
    [
        (None, None, "the ticket is of type NoneType, not text"),
        (b"t", None, "the ticket is of type bytes, not text"),
        ("\ud800", None, "the ticket holds a lone surrogate, which UTF-8 does not have"),
        ("t", 42, "the authid is of type int, not text"),
        ("t", "\ud800", "the authid holds a lone surrogate, which UTF-8 does not have"),
    ],
)
def test_what_is_no_text_is_refused_before_anybody_is_asked(ticket, authid, text):
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # the whole text is compared
        AuthRequest.parse("realm1", authid, {"ticket": ticket})
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ('a="1 2"', {"a": "1 2"}),
        ('a="', {"a": '"'}),
        ("token=eyJ=; x[y]={1}", {"token": "eyJ=", "x[y]": "{1}"}),
        ("nonsense; ; =x; a=", {"a": ""}),
    ],
)
def test_cookies_are_read_as_browsers_send_them(header, cookies):
    assert parse_cookies(header) == cookies
