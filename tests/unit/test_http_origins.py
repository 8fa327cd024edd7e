"""The origins of pages that may open a WebSocket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.http.origins import describe, is_allowed, is_own, origins


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://shop.example", "shop.example"),
        ("https://shop.example", "shop.example:443"),
        ("https://shop.example:443", "shop.example"),
        ("http://shop.example", "shop.example:80"),
        ("HTTPS://Shop.Example", "SHOP.example"),
        ("http://localhost:8080", "localhost:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        # TLS may have ended at a balancer that says nothing of it.
        ("https://shop.example:8443", "shop.example:8443"),
    ],
)
def test_pages_of_the_own_host_may(origin, host):
    assert is_own(origin, host, is_secure=False)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "shop.example"),
        ("http://evil.localhost:3000", "localhost:8080"),
        ("http://127.0.0.2:3000", "127.0.0.1:8080"),
        ("http://10.0.0.5:3000", "10.0.0.5:8080"),
        ("https://shop.example", "shop.example:8443"),
        ("https://shop.example", "shop.example:80"),
        ("https://shop.example.evil.example", "shop.example"),
        ("https://evil-shop.example", "shop.example"),
        ("https://shop.example@evil.example", "shop.example"),
        ("https://shop.example, https://evil.example", "shop.example"),
        ("https://www.shop.example", "shop.example"),
        ("http://127.0.0.1:8080", "localhost:8080"),
        ("chrome-extension://shop.example", "shop.example"),
        ("https://shop.example/", "shop.example"),
        ("null", "null"),
        ("", ""),
        ("https://", ""),
        ("https://:443", ""),
        ("https://shop.example:99999999", "shop.example"),
        ("file://", "shop.example"),
    ],
)
def test_pages_of_other_hosts_may_not(origin, host):
    assert not is_allowed(origin, host, ())


def test_a_page_without_tls_may_not_open_a_websocket_with_it():
    assert not is_own("http://shop.example", "shop.example", is_secure=True)
    assert is_own("https://shop.example", "shop.example", is_secure=True)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example", "https://shop.example:443"),
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("http://shop.example", "http://shop.example:80"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("shop.example", "https://shop.example"),
        ("shop.example", "http://shop.example"),
        ("localhost:3000", "http://localhost:3000"),
        ("*://localhost:3000", "https://localhost:3000"),
        ("http://localhost:*", "http://localhost:5173"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://*.shop.example", "https://www.shop.example"),
        ("https://*.shop.example", "https://a.b.shop.example"),
        ("*://*.shop.example:443", "https://www.shop.example"),
        ("https://m\u00fcnchen.example", "https://xn--mnchen-3ya.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("*", "https://evil.example"),
        ("*", "null"),
        ("null", "null"),
        ("https://a.example, https://b.example", "https://b.example"),
        ("https://a.example https://b.example", "https://a.example"),
        (["https://a.example", "https://b.example,https://c.example"], "https://c.example"),
    ],
)
def test_an_origin_that_is_named_may(written, origin):
    assert is_allowed(origin, "node.example", origins(written))


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("", "https://shop.example"),
        ("https://shop.example", "http://shop.example"),
        ("https://shop.example", "https://shop.example:8443"),
        ("https://shop.example", "https://www.shop.example"),
        ("shop.example", "https://shop.example:8443"),
        ("https://*.shop.example", "https://shop.example"),
        ("https://*.shop.example", "https://evilshop.example"),
        ("https://*.shop.example", "https://www.shop.example.evil.example"),
        ("https://*.shop.example", "http://www.shop.example"),
        ("http://localhost:*", "https://localhost:5173"),
        ("capacitor://localhost", "http://localhost"),
        ("https://shop.example", "null"),
        ("null", "https://null"),
    ],
)
def test_an_origin_that_is_not_named_may_not(written, origin):
    assert not is_allowed(origin, "node.example", origins(written))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("https://shop.example/path", "is not an origin (want https://shop.example, https://*.shop.example, or *)"),
        ("https://", "is not an origin (want https://shop.example, https://*.shop.example, or *)"),
        ("*shop.example", "is not an origin (want https://shop.example, https://*.shop.example, or *)"),
        ("https://user@shop.example", "is not an origin (want https://shop.example, https://*.shop.example, or *)"),
        ("https://a;https://b", "is not an origin (want https://shop.example, https://*.shop.example, or *)"),
        (
            "wss://shop.example",
            "is the address of a WebSocket, not the origin of a page (want https://shop.example)",
        ),
        ("htps://shop.example", "has a scheme that no page has (want https://shop.example)"),
        ("https://a:99999", "has a port that does not exist (want https://shop.example:8443)"),
        ("https://\u00fc..example", "has a host that is no name (want https://shop.example)"),
    ],
)
def test_what_is_no_origin_is_named(written, problem):
    with pytest.raises(ValueError, match=r"want https") as caught:
        origins(written)
    assert str(caught.value) == f"{written!r} {problem}"


@pytest.mark.parametrize("value", [7, None, {"a": 1}])
def test_what_is_no_list_is_named(value):
    with pytest.raises(ValueError, match="is not a list of origins"):
        origins(value)


def test_an_item_that_is_no_text_is_named():
    with pytest.raises(ValueError, match="7 is not an origin"):
        origins([7])


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("https://shop.example", "pages of shop.example may open WebSockets, by https on port 443"),
        ("shop.example", "pages of shop.example may open WebSockets, by http or https on port 80 or 443"),
        ("https://*.a.b:8443", "pages of every host below a.b may open WebSockets, by https on port 8443"),
        ("http://localhost:*", "pages of localhost may open WebSockets, by http on any port"),
        ("tauri://localhost", "pages of localhost may open WebSockets, by tauri"),
        ("*", "pages of every origin may open WebSockets, with their visitors' cookies"),
        ("null", "pages without an origin may open WebSockets (files, sandboxed frames)"),
    ],
)
def test_what_was_understood_is_explained(written, sentence):
    [origin] = origins(written)
    assert origin.sentence == f"{written}: {sentence}"


@pytest.mark.parametrize(
    ("header", "to_do"),
    [
        ("http://localhost:3000", "if it should, set STORK_ORIGINS=http://localhost:3000 ("),
        ("https://Shop.Example:443", "if it should, set STORK_ORIGINS=https://shop.example ("),
        ("null", "if it should, set STORK_ORIGINS=null"),
        ("shop.example", "this is no origin (want https://shop.example)"),
    ],
)
def test_a_refusal_says_what_to_set(header, to_do):
    assert describe(header, "localhost:8080").startswith(
        f"a page of '{header}' may not open a WebSocket of 'localhost:8080': {to_do}"
    )


@given(st.text(), st.text())
def test_any_text_is_refused_in_one_short_line(header, host):
    is_allowed(header, host, origins("https://*.shop.example"))
    sentence = describe(header, host)
    assert sentence.replace("…", "").isascii()
    assert sentence.isprintable()
    assert len(sentence) < 2000


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:3000", "localhost:8080"),
        ("http://localhost", "localhost:8080"),
        ("http://127.0.0.1:5173", "127.0.0.1:8080"),
        ("http://[::1]:3000", "[::1]:8080"),
        ("http://shop.localhost:3000", "shop.localhost:8080"),
    ],
)
def test_a_developers_application_has_another_port_of_localhost(origin, host):
    assert is_allowed(origin, host, ())
    assert not is_own(origin, host, is_secure=False)
    assert not is_allowed(origin, host, (), is_secure=True)
