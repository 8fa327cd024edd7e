import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.http.forwarded import client_address, client_network, networks, read_headers, requested_host

TRUSTED = networks("10.0.0.0/8, 192.168.1.7, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("10.0.0.5", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.5", "192.0.2.1, 10.0.0.4", "192.0.2.1"),
        ("192.168.1.7", "2001:db8::1", "2001:db8::1"),
        ("fd00::5", "192.0.2.1", "192.0.2.1"),
        # With ports, as some balancers write them.
        ("10.0.0.5", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.5", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.5", "[2001:db8::1]", "2001:db8::1"),
        # IPv4 on a socket of IPv6.
        ("::ffff:10.0.0.5", "::ffff:192.0.2.1", "192.0.2.1"),
        # All are trusted, as for a client in the balancer's own network.
        ("10.0.0.5", "10.0.0.9, 10.0.0.4", "10.0.0.9"),
        ("10.0.0.5", "", "10.0.0.5"),
    ],
)
def test_a_trusted_balancer_says_who_the_client_is(peer, header, address):
    assert client_address(peer, header, TRUSTED) == address


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        # A client that comes directly says what it likes.
        ("192.0.2.66", "192.0.2.1", "192.0.2.66"),
        ("192.168.1.8", "192.0.2.1", "192.168.1.8"),
        ("", "192.0.2.1", ""),
        # One behind a balancer that adds to the header: what stands in front of its own address is its own invention.
        ("10.0.0.5", "192.0.2.1, 192.0.2.66", "192.0.2.66"),
        ("10.0.0.5", "10.0.0.9, 192.0.2.66", "192.0.2.66"),
        ("10.0.0.5", "192.0.2.1, 192.0.2.66, 10.0.0.4", "192.0.2.66"),
        # No address: the balancer is all that is known.
        ("10.0.0.5", "192.0.2.1, unknown", "10.0.0.5"),
        ("10.0.0.5", "192.0.2.1, unknown, 10.0.0.4", "10.0.0.4"),
        ("10.0.0.5", "192.0.2.1,", "10.0.0.5"),
        ("10.0.0.5", "<script>", "10.0.0.5"),
    ],
)
def test_nobody_else_does(peer, header, address):
    assert client_address(peer, header, TRUSTED) == address


@given(st.text(), st.ip_addresses(v=4))
def test_whatever_a_client_sends_its_own_address_is_found(forged, address):
    behind = str(address)
    if not behind.startswith("10.") and behind != "192.168.1.7":
        assert client_address("10.0.0.5", f"{forged}, {behind}", TRUSTED) == behind


@given(st.text())
def test_without_trust_a_header_says_nothing(header):
    assert client_address("10.0.0.5", header, ()) == "10.0.0.5"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", []),
        (" , ", []),
        ([], []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("10.0.0.0/8, ::1,", ["10.0.0.0/8", "::1/128"]),
        (["10.0.0.0/8", "192.0.2.1"], ["10.0.0.0/8", "192.0.2.1/32"]),
    ],
)
def test_networks_are_a_list_or_have_commas(value, read):
    assert [str(network) for network in networks(value)] == read


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' is not a network (want 10.0.0.0/8, or an address)"),
        ("haproxy", "'haproxy' is not a network (want 10.0.0.0/8, or an address)"),
        ([7], "7 is not a network (want 10.0.0.0/8, or an address)"),
        (7, '7 is not a list of networks (want ["10.0.0.0/8"])'),
        (None, 'None is not a list of networks (want ["10.0.0.0/8"])'),
    ],
)
def test_what_is_no_network_is_named(value, problem):
    with pytest.raises(ValueError, match="is not a") as caught:
        networks(value)
    assert str(caught.value) == problem


def test_headers_are_read_by_their_names():
    request = (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nx-forwarded-for:10.0.0.4\r\n\r\nbody: no\r\n"
    )
    assert read_headers(request) == {"host": "a", "x-forwarded-for": "192.0.2.1, 10.0.0.4"}


def test_several_cookie_headers_are_those_of_one():
    request = b"GET / HTTP/1.1\r\nCookie: a=1; b=2\r\nHost: a\r\ncookie: c=3\r\n\r\n"
    assert read_headers(request) == {"host": "a", "cookie": "a=1; b=2; c=3"}


@pytest.mark.parametrize("line", ["\r", "\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85"])
def test_a_header_cannot_hide_within_another_one(line):
    request = f"GET / HTTP/1.1\r\nCookie: a{line}X-Forwarded-For: 192.0.2.66\r\n\r\n".encode("iso-8859-1")
    assert read_headers(request) == {"cookie": f"a{line}X-Forwarded-For: 192.0.2.66"}


@given(st.binary())
def test_any_bytes_are_read(request_):
    assert isinstance(read_headers(request_), dict)


@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        # Nobody's word but a balancer's is taken for what the client asked for.
        ("192.0.2.1", {"host": "a", "x-forwarded-host": "b", "x-forwarded-proto": "https"}, ("a", False)),
        ("10.0.0.5", {"host": "a", "x-forwarded-host": "b", "x-forwarded-proto": "https"}, ("b", True)),
        (
            "10.0.0.5",
            {"host": "a", "x-forwarded-host": "b:8443, inner", "x-forwarded-proto": "HTTPS, http"},
            ("b:8443", True),
        ),
        ("10.0.0.5", {"host": "a", "x-forwarded-proto": "http"}, ("a", False)),
        ("10.0.0.5", {"host": "a"}, ("a", False)),
        ("10.0.0.5", {}, ("", False)),
    ],
)
def test_a_trusted_balancer_says_what_was_asked_for(peer, headers, found):
    assert requested_host(peer, headers, TRUSTED, is_secure=False) == found


def test_the_own_tls_counts_where_no_balancer_speaks():
    assert requested_host("192.0.2.1", {"host": "a", "x-forwarded-proto": "http"}, TRUSTED, is_secure=True) == (
        "a",
        True,
    )
    assert requested_host("10.0.0.5", {"host": "a", "x-forwarded-proto": "http"}, TRUSTED, is_secure=True) == (
        "a",
        False,
    )


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::2", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_connections_of_one_client_are_counted_together(host, network):
    assert client_network(host) == network
