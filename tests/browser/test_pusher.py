"""
Pusher clients in Chromium: stork-pusher.js with pusher-js 7 and 8 and with laravel-echo, and an application of Laravel.
"""

import hashlib
import hmac
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.book import block
from tests.cut import CuttingProxy
from tests.gateway import ROOT, Deployment, Process, free_ports, wait_for
from tests.pusher import KEY, SECRET, PusherBackend

MODULES = ROOT / "tests/js/node_modules"
KINDS = ("", "private-", "cache-")
MAKE = {
    "pusher": """
        ({ key, host, port, ...options }) => { PAGE window.pusher = pusher; }
    """,
    "echo": """
        (options) => {
          const authorizer = (channel) => ({ authorize: (id, done) => options.sign(id, channel.name, done) });
          const place = {
            cluster: "", wsHost: options.host, wsPort: options.port, forceTLS: false, enabledTransports: ["ws"],
          };
          const echo = new (Echo.default ?? Echo)({ broadcaster: "reverb", ...place, ...options, authorizer });
          window.pusher = echo.connector.pusher;
        }
    """,
}
CLIENTS = [("pusher-js-7", "pusher"), ("pusher-js", "pusher"), ("pusher-js", "echo")]
API_KEY = "0123456789abcdef" * 2
NUMBERS = itertools.count(1)
BEGIN = """
    async ([make, key, port, channels]) => {
      const sign = (id, channel, done) => sign_channel(id, channel).then((auth) => done(null, { auth }));
      eval(make)({
        key, sign, port, host: "127.0.0.1",
        channelAuthorization: { customHandler: ({ socketId, channelName }, done) => sign(socketId, channelName, done) },
      });
      window.got = []; window.recovered = []; window.ids = [];
      RECOVER
      pusher.connection.bind("connected", () => ids.push(pusher.connection.socket_id));
      await Promise.all(channels.map((name) => new Promise((done) => {
        const channel = pusher.subscribe(name);
        channel.bind("pusher:subscription_succeeded", done);
        channel.bind("e", (data) => got.push([name, data.n]));
      })));
    }
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    environ = {"PUSHER_APP_ID": "1", "PUSHER_APP_KEY": KEY, "PUSHER_APP_SECRET": SECRET, "STORK_API_KEY": API_KEY}
    with Deployment(tmp_path_factory.mktemp("pusher-browser"), environ=environ) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


class Tab:
    """A client in a page, behind a proxy."""

    def __init__(self, browser: Browser, deployment: Deployment, module: str, kind: str) -> None:
        self.deployment = deployment
        self.name = f"orders.{next(NUMBERS)}"
        self.channels = [kind + self.name for kind in KINDS]
        self.proxy = CuttingProxy(deployment.nodes[-1].port)
        self.context = browser.new_context()
        self.page: Page = self.context.new_page()
        self.page.expose_function("sign_channel", _sign)
        self.page.add_script_tag(path=MODULES / module / "dist/web/pusher.min.js")
        self.page.add_script_tag(path=MODULES / "laravel-echo/dist/echo.iife.js")
        self.page.add_script_tag(url=f"{deployment.nodes[-1].page_url}stork-pusher.js")
        # The lines of the book, with what a test wants to see, and with signatures.
        page = block("pusher page").replace('cluster: ""', '...options, cluster: ""')
        recover = block("stork-pusher.js").replace("if (!ok) location.reload();", "recovered.push([channel, ok]);")
        self.page.evaluate(
            BEGIN.replace("RECOVER", recover), [MAKE[kind].replace("PAGE", page), KEY, self.proxy.port, self.channels]
        )

    def push(self, numbers: range, **more: Any) -> None:
        with PusherBackend(self.deployment.nodes[-1].port) as backend:
            for number in numbers:
                events = [{"channel": name, "name": "e", "data": f'{{"n":{number}}}', **more} for name in self.channels]
                assert backend.post("/batch_events", {"batch": events}) == (200, {})

    def told(self, name: str) -> Any:
        return self.page.evaluate(name)

    def has_all_of(self, numbers: list[int]) -> bool:
        expected = dict.fromkeys(self.channels, numbers)
        got: dict[str, list[int]] = {channel: [] for channel in self.channels}
        for channel, number in self.told("got"):
            got[channel].append(number)
        assert all(each == numbers[: len(each)] for each in got.values()), got
        return got == expected


def _sign(socket_id: str, channel: str) -> str:
    return f"{KEY}:{hmac.new(SECRET.encode(), f'{socket_id}:{channel}'.encode(), hashlib.sha256).hexdigest()}"


@pytest.fixture(params=CLIENTS, ids="-".join)
def tab(browser: Browser, node: Deployment, request: pytest.FixtureRequest) -> Iterator[Tab]:
    tab = Tab(browser, node, *request.param)
    yield tab
    tab.context.close()
    tab.proxy.close()


def test_a_client_misses_nothing_that_is_pushed_while_it_is_cut_off(tab: Tab) -> None:
    [first] = tab.told("ids")
    tab.push(range(1, 20))
    tab.proxy.target = 0
    tab.proxy.cut()
    tab.push(range(20, 60))
    tab.push(range(60, 65), socket_id=first)
    tab.proxy.target = tab.deployment.nodes[-1].port
    for number in range(65, 90):  # it comes back meanwhile
        tab.push(range(number, number + 1))
    wait_for(lambda: len(tab.told("ids")) == 2, "the second connection", 30)
    tab.push(range(90, 100))
    expected = [*range(1, 60), *range(65, 100)]
    wait_for(lambda: tab.has_all_of(expected), "all events")
    assert sorted(tab.told("recovered")) == [[channel, True] for channel in sorted(tab.channels)]


def test_a_client_is_told_when_too_much_was_missed(tab: Tab) -> None:
    tab.push(range(1, 3))
    wait_for(lambda: tab.has_all_of([1, 2]), "the first events")
    tab.proxy.target = 0
    tab.proxy.cut()
    with PusherBackend(tab.deployment.nodes[-1].port) as backend:
        for _ in range(3):
            backend.trigger(tab.name, "large", "x" * 900_000)
    tab.proxy.target = tab.deployment.nodes[-1].port
    wait_for(lambda: len(tab.told("recovered")) == 3, "the answers")
    assert dict(tab.told("recovered")) == {channel: channel != tab.name for channel in tab.channels}
    tab.push(range(3, 5))
    wait_for(lambda: tab.has_all_of([1, 2, 3, 4]), "the next events")


# -- Laravel -----------------------------------------------------------------------------------------------------------

LARAVEL = """
    async ([key, port]) => {
      window.got = []; window.refused = [];
      const host = "127.0.0.1";
      window.Echo = Echo.default ?? Echo;
      ECHO
      echo.private("orders.8").error(({ status }) => refused.push(status));
      const channel = echo.private("orders.7").listen("OrderPaid", (data) => got.push(data));
      await new Promise((done) => channel.subscribed(done));
    }
"""
PAY = """
    async () => (await fetch("/pay/7", { method: "POST", headers: { "X-Socket-ID": echo.socketId() } })).text()
"""


@pytest.fixture(params=["zmq", "http"])
def laravel(node: Deployment, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of Laravel's application; it pushes by ZMQ or by HTTP."""
    [port] = free_ports(1)
    for name in ("sessions", "views"):
        (tmp_path / name).mkdir()
    for name in ("broadcasting", "channels"):
        (tmp_path / f"{name}.txt").write_text(block(f"laravel {name}"))
    by_http = {"STORK_ENDPOINT": node.nodes[-1].page_url, "STORK_API_KEY": API_KEY}
    environ = {
        **os.environ,
        "APP_STORAGE": str(tmp_path),
        "PUSHER_APP_KEY": KEY,
        "PUSHER_APP_SECRET": SECRET,
        **(by_http if request.param == "http" else {"STORK_ENDPOINT": node.router}),
    }
    public = ROOT / "tests/php/laravel/public"
    command = ["php", "-S", f"127.0.0.1:{port}", "-t", str(public), str(public / "index.php")]
    server = Process(command, tmp_path / "php.log", environ)
    server.wait_for_line("Development Server")
    yield f"http://127.0.0.1:{port}"
    server.stop(signal.SIGINT)


def open_orders(browser: Browser, node: Deployment, address: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{address}/login/7")
    page.add_script_tag(path=MODULES / "pusher-js/dist/web/pusher.min.js")
    page.add_script_tag(path=MODULES / "laravel-echo/dist/echo.iife.js")
    page.add_script_tag(url=f"{node.nodes[-1].page_url}stork-pusher.js")
    # The page of the book loads classes from App\\Events; this application has its own at App.
    echo = block("laravel echo").replace("new Echo({", 'new Echo({ namespace: "App",')
    page.evaluate(LARAVEL.replace("ECHO", echo), [KEY, node.nodes[-1].port])
    return page


def test_an_event_of_laravel_reaches_the_other_pages_of_its_user(
    browser: Browser, node: Deployment, laravel: str
) -> None:
    one, two = (open_orders(browser, node, laravel) for _ in range(2))
    assert one.evaluate(PAY) == "paid"
    wait_for(lambda: two.evaluate("got"), "the event")
    assert two.evaluate("got") == [{"order": 7, "name": "Zoë"}]
    assert two.evaluate(PAY) == "paid"
    wait_for(lambda: one.evaluate("got"), "the other event")
    assert [len(page.evaluate("got")) for page in (one, two)] == [1, 1]
    wait_for(lambda: one.evaluate("refused") == [403], "the refusal")
    thrown_out = one.evaluate('fetch("/throw-out/9", { method: "POST" }).then((answer) => answer.text())')
    assert thrown_out == "true"
    for page in (one, two):
        page.context.close()


# -- the node starts again: the last test, as it takes longest ---------------------------------------------------------


def test_clients_miss_nothing_when_their_node_is_killed(browser: Browser, node: Deployment) -> None:
    tabs = [Tab(browser, node, *client) for client in CLIENTS]
    for tab in tabs:
        tab.push(range(1, 10))
        wait_for(lambda tab=tab: tab.has_all_of([*range(1, 10)]), "the first events")
        tab.proxy.target = 0
    node.nodes[-1].popen.kill()
    with node.publisher() as publisher:
        topics = [f"pusher.{channel}" for tab in tabs for channel in tab.channels]
        for number in range(10, 20):
            publisher.push(topics, type="e", data={"n": number})
    port = node.start_node("again").port
    for tab in tabs:
        tab.proxy.target = port
        tab.push(range(20, 30))
    for tab in tabs:
        wait_for(lambda tab=tab: tab.has_all_of([*range(1, 30)]), "all events", 60)
        assert sorted(tab.told("recovered")) == [[channel, True] for channel in sorted(tab.channels)]
        tab.context.close()
        tab.proxy.close()
