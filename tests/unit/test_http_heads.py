"""Heads of HTTP requests: what is read, what is refused and how, and that no bytes do anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.http.heads import MAX_HEAD_BYTES, MAX_HEADERS, MAX_LINE_BYTES, Refused, end_of_head, read_head


def head(*lines, end=b"\r\n\r\n"):
    return b"\r\n".join(lines) + end


def refusal(data):
    """The status of the answer; 0 where the head is read, None where more has to come."""
    try:
        end = end_of_head(data)
        if end is None:
            return None
        read_head(data[:end])
    except Refused as error:
        return error.refusal.status if error.refusal.text.isprintable() else -1
    return 0


def test_a_request_is_read():
    read = read_head(head(b"GET /ws?a=b HTTP/1.1", b"Host: shop.example:8080", b"X-A:  b\t", b"x-a: \xe4"))
    assert (read.method, read.target, read.version) == ("GET", b"/ws?a=b", b"HTTP/1.1")
    assert read.headers == ((b"host", b"shop.example:8080"), (b"x-a", b"b"), (b"x-a", b"\xe4"))
    assert (read.value(b"x-a"), read.value(b"nothing")) == (b"b, \xe4", b"")
    assert not read.has_body
    assert not read.is_last


def test_what_was_read_is_read_again_the_same():
    read = read_head(head(b"HEAD http://a:1?b HTTP/1.0", b"Host: c", b"Content-Length: 7"))
    assert read.as_bytes() == b"HEAD /?b HTTP/1.0\r\nhost: a:1\r\ncontent-length: 7\r\n\r\n"
    assert read_head(read.as_bytes()) == read


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://other.example/a?b", b"other.example", b"/a?b"),
        (b"HTTPS://other.example:8443", b"other.example:8443", b"/"),
        (b"http://[::1]:80/", b"[::1]:80", b"/"),
        (b"/http://other.example/", b"x", b"/http://other.example/"),
    ],
)
def test_an_absolute_target_names_the_host(target, host, path):
    read = read_head(head(b"GET %s HTTP/1.1" % target, b"Host: x"))
    assert (read.value(b"host"), read.target) == (host, path)


@pytest.mark.parametrize(
    ("lines", "is_last"),
    [
        ([b"GET / HTTP/1.1", b"Host: x"], False),
        ([b"GET / HTTP/1.1", b"Host: x", b"Connection: Upgrade, Close"], True),
        ([b"GET / HTTP/1.0"], True),
        ([b"GET / HTTP/1.0", b"Connection: keep-alive"], True),
    ],
)
def test_whether_a_connection_goes_on(lines, is_last):
    assert read_head(head(*lines)).is_last is is_last


@pytest.mark.parametrize(
    ("header", "body_bytes"),
    [
        (b"Content-Length: 0", 0),
        (b"Content-Length: 5", 5),
        (b"Transfer-Encoding: chunked", None),
        (b"transfer-encoding: identity", None),
    ],
)
def test_an_announced_body_is_known(header, body_bytes):
    assert read_head(head(b"POST / HTTP/1.1", b"Host: x", header)).body_bytes == body_bytes


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"nonsense"], 400),
        ([b""], 400),
        ([b"GET  / HTTP/1.1", b"Host: x"], 400),
        ([b"GET / HTTP/1.1 ", b"Host: x"], 400),
        ([b"GET /", b"Host: x"], 400),
        ([b"GET / HTTP/1.11", b"Host: x"], 400),
        ([b"GET /\xe4 HTTP/1.1", b"Host: x"], 400),
        ([b"G\xe4T / HTTP/1.1", b"Host: x"], 400),
        ([b"GET /%00 HTTP/1.1", b"Host: x"], 400),
        ([b"GET /%ff HTTP/1.1", b"Host: x"], 400),
        ([b"GET /a#b HTTP/1.1", b"Host: x"], 400),
        ([b"GET a HTTP/1.1", b"Host: x"], 400),
        ([b"GET * HTTP/1.1", b"Host: x"], 400),
        ([b"GET ftp://x/ HTTP/1.1", b"Host: x"], 400),
        ([b"GET http:///a HTTP/1.1", b"Host: x"], 400),
        ([b"GET http://user@x/ HTTP/1.1", b"Host: x"], 400),
        ([b"GET http://[x/ HTTP/1.1", b"Host: x"], 400),
        ([b"GET / HTTP/1.1"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"Host: x"], 400),
        ([b"GET / HTTP/1.1", b"Host: x y"], 400),
        ([b"GET / HTTP/1.1", b"Host: x/y"], 400),
        ([b"GET / HTTP/1.1", b"Host : x"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b" folded"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"no colon"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b": empty"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"a: b\0"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"a: b\rc: d"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"Content-Length: -1"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"Content-Length: 1, 1"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"Content-Length: 1", b"Content-Length: 1"], 400),
        ([b"GET / HTTP/1.1", b"Host: x", b"Content-Length: " + b"1" * 19], 400),
        ([b"CONNECT x:1 HTTP/1.1", b"Host: x:1"], 405),
        ([b"TRACE / HTTP/1.1", b"Host: x"], 405),
        ([b"OPTIONS * HTTP/1.1", b"Host: x"], 405),
        ([b"get / HTTP/1.1", b"Host: x"], 405),
        ([b"BREW /pot HTTP/1.1", b"Host: x"], 405),
        ([b"GET / HTTP/1.1", b"Host: x", b"Expect: a miracle"], 417),
        ([b"GET / HTTP/1.1", b"Host: x", *[b"a: b"] * MAX_HEADERS], 431),
        ([b"GET / HTTP/1.1", b"Host: x", b"a: " + b"b" * MAX_LINE_BYTES], 431),
        ([b"GET /" + b"a" * MAX_LINE_BYTES + b" HTTP/1.1", b"Host: x"], 414),
        ([b"PRI * HTTP/2.0"], 505),
        ([b"GET / HTTP/0.9", b"Host: x"], 505),
    ],
)
def test_what_is_refused_says_why(lines, status):
    assert refusal(head(*lines)) == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", None),
        (b"\r", None),
        (b"\r\n", None),
        (b"GE", None),
        (b"GET /a", None),
        (b"\r\nGET / HTTP/1.1\r\nHost:", None),
        (b"GET / HTTP/1.1\r\nHost: x\r", None),
        # No head will ever come of these, and nobody waits for their end.
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"\x7f\xf1\x00\x00", 400),
        (b"SSH-2.0-x\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /" + b"a" * MAX_LINE_BYTES, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\na:" + b"b" * MAX_HEAD_BYTES, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 4000, 431),
    ],
)
def test_what_is_no_beginning_is_refused_at_once(data, status):
    assert refusal(data) == status


def test_the_end_is_found_wherever_the_pieces_are_cut():
    whole = head(b"GET / HTTP/1.1", b"Host: x")
    for cut in range(len(whole)):
        assert end_of_head(whole[:cut]) is None
        assert end_of_head(whole + b"more", known=cut) == len(whole)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    path = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % data
    header = b"GET / HTTP/1.1\r\nHost: x\r\na: %s\r\n\r\n" % data
    assert all(refusal(each) in (None, 0, 400, 405, 505) for each in (data, path, header))


@given(st.binary(max_size=200))
def test_no_header_hides_within_another_one(data):
    request = b"GET / HTTP/1.1\r\nHost: x\r\na: %s\r\n\r\n" % data
    try:
        read = read_head(request)
    except Refused:
        return
    assert len(read.headers) == request.count(b"\r\n") - 2
    assert read_head(read.as_bytes()) == read
