"""The Subscriber on real sockets, against a router that says what a test tells it to."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from stork_node import Event, Subscriber, SubscriberEnded, SubscriptionRefused
from tests.components.scripted_wamp import DEADLINE_S, Router
from tests.gateway import free_ports

TOPIC = "v1.orders.42"


def run(test: Callable[[Router], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with Router() as router:
            await asyncio.wait_for(test(router), DEADLINE_S * 2)

    asyncio.run(main())


class Told:
    """Handlers whose calls can be waited for."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    def __call__(self, *what: Any) -> None:
        self.queue.put_nowait(what[0] if len(what) == 1 else what)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.queue.get(), DEADLINE_S)

    async def state(self, state: str) -> Any:
        while (told := await self.next()).state != state:
            pass
        return told


def state(position: str) -> dict[str, Any]:
    return {"recovered": False, "position": position, "events": []}


def test_events_reach_the_handler_in_order_and_once() -> None:
    async def test(router: Router) -> None:
        events = Told()
        async with Subscriber(router.url, ticket="secret") as stork:
            subscription = stork.subscribe(TOPIC, events)
            peer = await router.accept()
            assert await peer.join() == [5, "secret", {}]
            await peer.admit(TOPIC)
            await stork.wait_subscribed(subscription)
            assert await peer.recover({TOPIC: state("e:1")}) == {TOPIC: None}
            for sequence in (2, 3, 3, 5):
                await peer.push(f"e:{sequence}", sequence)
            received = [await events.next() for _ in range(3)]
        assert received[0] == Event(TOPIC, "paid", 2, "2026-01-31T12:00:00Z", "e:2")
        assert [event.data for event in received] == [2, 3, 5]
        assert subscription.position == "e:5"
        assert stork.state == "closed"

    run(test)


@pytest.mark.parametrize("code", [1012, 1013, 4001, 4010, None])
def test_it_recovers_with_a_new_ticket_after_a_lost_connection(code: int | None) -> None:
    async def test(router: Router) -> None:
        events, recovered, tickets = Told(), Told(), iter(["one", "two"])

        async def ticket() -> str:
            return next(tickets)

        async with Subscriber(router.url, ticket=ticket) as stork:
            stork.subscribe(TOPIC, events, since="e:1", on_recovered=recovered)
            peer = await router.accept()
            assert (await peer.join())[1] == "one"
            await peer.admit(TOPIC)
            assert await peer.recover({TOPIC: {"recovered": True, "position": "e:4", "events": []}}) == {TOPIC: "e:1"}
            assert await recovered.next() == (TOPIC, True, "e:4")
            await (peer.close(code) if code else peer.vanish())
            peer = await router.accept()
            assert (await peer.join())[1] == "two"
            await peer.admit(TOPIC)
            await peer.push("e:9", 9)
            assert await peer.recover({TOPIC: state("e:8")}) == {TOPIC: "e:4"}
            assert await recovered.next() == (TOPIC, False, "e:8")
            assert (await events.next()).data == 9

    run(test)


def test_a_refusal_that_is_final_ends_it_with_a_named_error() -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, ticket="secret") as stork:
            subscription = stork.subscribe(TOPIC, print)
            peer = await router.accept()
            await peer.receive()
            await peer.send([3, {"message": "the ticket was refused"}, "io.virge.stork.denied"])
            with pytest.raises(SubscriberEnded) as ended:
                await stork.wait_closed()
        assert str(ended.value) == (
            f"{router.url} ended it for good: denied (io.virge.stork.denied: the ticket was refused)"
        )
        assert (ended.value.reason, subscription.state) == ("denied", "closed")

    run(test)


def test_a_logout_is_answered_and_final() -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, ticket="secret") as stork:
            peer = await router.join()
            await peer.send([6, {}, "io.virge.stork.disconnected"])
            assert await peer.receive() == [6, {}, "wamp.close.goodbye_and_out"]
            with pytest.raises(
                SubscriberEnded, match=r"ended it for good: disconnected \(io.virge.stork.disconnected\)"
            ):
                await stork.wait_closed()

    run(test)


def test_a_topic_that_is_denied_is_refused_by_name_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, ticket="secret") as stork:
            peer = await router.join()
            subscription = stork.subscribe(TOPIC, print)
            _, request, _, _ = await peer.receive()
            await peer.send([8, 32, request, {}, "wamp.error.not_authorized"])
            with pytest.raises(SubscriptionRefused, match=r"^no subscription to v1\.orders\.42: denied$"):
                await stork.wait_subscribed(subscription)

    run(test)
    assert [record.getMessage() for record in caplog.records] == [
        "the subscription to v1.orders.42 was refused: denied"
    ]


def test_close_says_goodbye_and_ends_the_wait() -> None:
    async def test(router: Router) -> None:
        states = Told()
        async with Subscriber(router.url, ticket="secret", on_state=states) as stork:
            peer = await router.join()
            await states.state("open")
            waiting = asyncio.create_task(stork.wait_closed())
            await stork.close()
            await waiting
        assert await peer.receive() == [6, {}, "wamp.close.close_realm"]
        await peer.closed()

    run(test)


def test_close_in_a_handler_does_not_wait_for_itself() -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, ticket="secret") as stork:

            async def handler(event: Event) -> None:
                await stork.close()

            stork.subscribe(TOPIC, handler)
            peer = await router.join()
            await peer.admit(TOPIC)
            await peer.push("e:5", 5)
            await stork.wait_closed()

    run(test)


@pytest.mark.parametrize("hanging", ["ticket", "connection", "join"])
def test_close_does_not_wait_for_a_try_that_hangs(hanging: str) -> None:
    async def test(router: Router) -> None:
        asked = asyncio.Event()

        async def ticket() -> str:
            asked.set()
            await asyncio.sleep(3600 if hanging == "ticket" else 0)
            return "secret"

        mute = await asyncio.start_server(lambda reader, writer: writer.close, "127.0.0.1", 0)
        port = mute.sockets[0].getsockname()[1]
        url = router.url if hanging == "join" else f"ws://127.0.0.1:{port}/ws"
        async with Subscriber(url, ticket=ticket) as stork:
            await asked.wait()
            if hanging == "join":
                await (await router.accept()).receive()
        assert stork.state == "closed"
        mute.close()

    run(test)


def test_a_handler_that_raises_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: Router) -> None:
        events = Told()

        def handler(event: Event) -> None:
            events(event.data)
            raise ValueError(event.data)

        async with Subscriber(router.url, ticket="secret") as stork:
            stork.subscribe(TOPIC, handler)
            peer = await router.join()
            await peer.admit(TOPIC)
            await peer.push("e:5", 5)
            await peer.push("e:6", 6)
            assert [await events.next(), await events.next()] == [5, 6]

    run(test)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [(logging.ERROR, "a handler failed")] * 2


def test_async_handlers_run_one_after_the_other() -> None:
    async def test(router: Router) -> None:
        running, order, done = 0, [], asyncio.Event()

        async def handler(event: Event) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0.01 * (4 - event.data))
            order.append(event.data)
            running -= 1
            if event.data == 3:
                done.set()

        async with Subscriber(router.url, ticket="secret") as stork:
            stork.subscribe(TOPIC, handler)
            peer = await router.join()
            await peer.admit(TOPIC)
            for n in (1, 2, 3):
                await peer.push(f"e:{n}", n)
            await done.wait()
        assert order == [1, 2, 3]

    run(test)


def test_a_ticket_that_cannot_be_had_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(router: Router) -> None:
        states, tries = Told(), iter([OSError("the shop is closed"), "secret"])

        def ticket() -> str:
            found = next(tries)
            if isinstance(found, OSError):
                raise found
            return found

        async with Subscriber(router.url, ticket=ticket, on_state=states) as stork:
            waiting = await states.state("waiting")
            assert (waiting.ending.reason, waiting.ending.text) == ("ticket", "the shop is closed")
            stork.retry()
            assert (await (await router.accept()).join())[1] == "secret"

    run(test)


def test_nobody_there_is_tried_again_until_somebody_is() -> None:
    async def test(_: Router) -> None:
        states = Told()
        (port,) = free_ports(1)
        async with Subscriber(f"ws://127.0.0.1:{port}/ws", ticket="secret", on_state=states) as stork:
            waiting = await states.state("waiting")
            assert (waiting.ending.reason, waiting.ending.text) == ("lost", "nothing listens there")
            assert 0.5 <= waiting.delay_s <= 1
            stork.retry()
            assert (await states.state("waiting")).ending.reason == "lost"

    run(test)


def test_unsubscribe_is_written_at_once() -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, ticket="secret") as stork:
            subscription = stork.subscribe(TOPIC, print)
            peer = await router.join()
            await peer.admit(TOPIC)
            await peer.recover({TOPIC: state("e:1")})
            assert (await peer.receive())[3] == "io.virge.stork.beat"
            stork.unsubscribe(subscription)
            assert await peer.receive() == [34, 4, 5]

    run(test)


def test_a_backend_joins_by_its_secret() -> None:
    async def test(router: Router) -> None:
        async with Subscriber(router.url, secret="shared"):
            peer = await router.accept()
            _, _, details = await peer.receive()
            assert (details["authid"], details["authmethods"]) == ("backend", ["wampcra"])
            await peer.send([4, "wampcra", {"challenge": "text"}])
            assert await peer.receive() == [5, "0I89Us7sGOnRPWuYWWikXGgykCXq081w3AasdxjVAXk=", {}]

    run(test)


def test_an_address_of_no_websocket_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'http://localhost' is not the address of a WebSocket"):
        Subscriber("http://localhost", ticket="secret")


def test_a_subscriber_is_used_with_async_with() -> None:
    async def test(router: Router) -> None:
        stork = Subscriber(router.url, ticket="secret")
        with pytest.raises(RuntimeError, match="use it as: async with"):
            await stork.wait_closed()
        async with stork:
            await router.accept()
            with pytest.raises(RuntimeError, match="a subscriber runs once"):
                await stork.__aenter__()

    run(test)
