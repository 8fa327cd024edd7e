"""Resources that take bodies, and the effect of a resource's bug on its client."""

import pytest
from twisted.internet.testing import StringTransport
from twisted.web.pages import notFound
from twisted.web.resource import Resource

from stork_crossbar.http.bounded_site import BoundedSite
from stork_crossbar.http.direct import DirectResource
from stork_crossbar.http.rules import Rules


def echo(_resource, request):
    return request.method + b" " + request.content.read()


def fail(_resource, _request):
    raise ValueError("a secret")


def leaf(**members):
    return type("Leaf", (Resource,), {"isLeaf": True, **members})()


class AtOnce:
    """In place of the turns of a reactor that does not run here: their time would be over on a slow machine."""

    def do(self, work):
        work()

    do_later = do


class Direct(DirectResource):
    """Answers at once, and looks at no body."""

    def __init__(self, most):
        super().__init__()
        self.max_body_bytes = most

    def begin(self, _head):
        return lambda body, exchange: exchange.reply(200, b"[%d]" % len(body))


@pytest.fixture
def talk():
    root = Resource()
    # Of at most ten bytes, and the answer has them.
    root.putChild(b"taking", leaf(max_body_bytes=10, render_GET=echo, render_POST=echo, render_PUT=echo))
    root.putChild(b"up", Direct(0))
    root.putChild(b"eating", Direct(10))
    root.putChild(b"failing", leaf(render_GET=fail))
    root.putChild(b"nothing", notFound())
    site = BoundedSite(root, Rules())
    channels = []

    def talk(*pieces):
        transport = StringTransport()
        channel = site.buildProtocol(None)
        channel._turns = AtOnce()
        channels.append(channel)
        channel.makeConnection(transport)
        for piece in pieces:
            channel.dataReceived(piece)
        return transport.value()

    yield talk
    for channel in channels:
        channel.connectionLost()


def request(line, *headers):
    return b"\r\n".join([line + b" HTTP/1.1", b"Host: x", *headers, b"", b""])


def test_a_body_reaches_the_resource_that_takes_it(talk):
    head = request(b"POST /taking", b"Content-Length: 10")
    for pieces in ((head + b"0123456789",), (head, b"01234", b"56789"), (head[:20], head[20:] + b"0123456789")):
        answer = talk(*pieces)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nPOST 0123456789")
    assert talk(request(b"PUT /taking")).endswith(b"\r\n\r\nPUT ")
    assert talk(request(b"GET /taking", b"Content-Length: 1") + b"a").endswith(b"\r\n\r\nGET a")


def test_nothing_is_answered_before_the_body_is_whole(talk):
    assert talk(request(b"POST /taking", b"Content-Length: 10"), b"123456789") == b""


def test_a_client_that_asks_whether_it_may_send_is_told(talk):
    head = request(b"POST /taking", b"Content-Length: 3", b"Expect: 100-continue")
    assert talk(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert talk(head, b"abc").endswith(b"\r\n\r\nPOST abc")


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (request(b"POST /taking", b"Content-Length: 11"), b"413", b"a body has at most 10 bytes here\n"),
        (
            request(b"POST /taking", b"Transfer-Encoding: chunked"),
            b"411",
            b"a body needs its Content-Length here (at most 10)\n",
        ),
        (request(b"POST /nothing", b"Content-Length: 1"), b"405", b"only GET and HEAD are answered here\n"),
        (request(b"GET /failing", b"Content-Length: 1"), b"413", b"a body has at most 0 bytes here\n"),
        (request(b"DELETE /taking"), b"405", b"this method is not answered here\n"),
    ],
)
def test_any_other_body_is_refused_at_its_headers(talk, data, status, text):
    answer = talk(data)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.endswith(b"\r\n\r\n" + text)


def test_a_fault_of_a_resource_is_one_short_line_to_the_client(talk):
    answer = talk(request(b"GET /failing"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.endswith(b"\r\n\r\nthis page cannot be made now\n")
    assert b"secret" not in answer


@pytest.mark.parametrize(
    ("line", "header", "status"),
    [
        (b"POST /up", b"Content-Length: 999999999999", b"413"),
        (b"GET /up", b"Content-Length: 1", b"413"),
        (b"POST /up", b"Transfer-Encoding: chunked", b"413"),
        (b"POST /eating", b"Content-Length: 11", b"413"),
        (b"POST /eating", b"Transfer-Encoding: chunked", b"411"),
        (b"POST /taking", b"Transfer-Encoding: identity", b"411"),
    ],
)
def test_no_resource_gets_more_than_its_maximum_of_a_body(talk, line, header, status):
    answer = talk(request(line, header), b"x" * 100, request(b"GET /up"))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_the_end_of_a_body_in_chunks_is_never_read_as_a_request(talk):
    answer = talk(request(b"POST /up", b"Transfer-Encoding: chunked") + request(b"GET /up"))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"\r\n\r\na body has at most 0 bytes here\n")


def test_a_body_of_a_direct_resource_is_read_up_to_its_maximum(talk):
    asked = request(b"POST /eating", b"Content-Length: 10")
    assert talk(asked, b"01234", b"56789").endswith(b"\r\n\r\n[10]")
    assert talk(asked + b"0123456789").endswith(b"\r\n\r\n[10]")
