"""A page of another origin, in a real browser, reaches nothing on the ports of a publish server without a secret."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from stork_node.publish_server import PublishServer
from tests.components.served import serving
from tests.malformed import document

TRIES = """async ([port, pushed]) => {
  // Frames of ZMTP 1.0, after headers of a length that the page does not know: one body for each place.
  const at = `http://127.0.0.1:${port}/`, bytes = Array.from(new TextEncoder().encode(pushed));
  const body = (skip) => new Uint8Array([...Array(skip).fill(120), 1, 0, bytes.length + 1, 0, ...bytes, 1, 0]);
  const outcome = (promise) => promise.then(() => 'answered', () => 'failed');
  const outcomes = [await outcome(fetch(at, {mode: 'no-cors'}))];
  for (let skip = 0; skip < 256; skip += 8)
    outcomes.push(...await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((more) =>
      outcome(fetch(at, {method: 'POST', mode: 'no-cors', body: body(skip + more)})))));
  outcomes.push(await new Promise((done) => {
    const socket = new WebSocket(at.replace('http', 'ws'));
    socket.onopen = () => done('answered');
    socket.onerror = () => done('failed');
  }));
  return [...new Set(outcomes)];
}"""


class OtherSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another site</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherSite) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[PublishServer]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("port", ["pull", "router", "pub", "replay"])
def test_a_page_of_another_site_reaches_no_zmq_port(
    browser: Browser, other_site: str, server: PublishServer, port: str
) -> None:
    page = browser.new_page()
    page.goto(other_site)
    number = getattr(server, f"{port}_endpoint").rpartition(":")[2]
    assert page.evaluate(TRIES, [number, document(data="from a web page").decode()]) == ["failed"]
    page.close()
    counters = server.counters
    assert (counters.accepted, counters.refused.total(), counters.replay_pages, counters.replay_refused) == (0, 0, 0, 0)
