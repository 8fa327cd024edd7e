import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from stork_node import AsyncPublisher
from stork_node.errors import ConfigError, InvalidPush, NotConfirmed, PushFailed, PushRefused
from stork_node.protocol.answers import encode_refused, encode_stored, encode_tail
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push
from tests.components.served import serving, settings, wait_for
from tests.components.test_publisher import LONG_MS, NOBODY, at, double, followed, next_push, run_python, sequences


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def test_a_push_returns_its_position_once_it_is_stored(server):
    async def main() -> None:
        async with AsyncPublisher(server.router_endpoint, LONG_MS) as publisher:
            with followed(server) as subscriber:
                position = await publisher.push(["v1.a.1"], type="t", data={"id": 42}, exclude=[5], store=False)
                frame = next_push(subscriber)
            assert position == str(frame.position) == await publisher.position()
            assert (frame.exclude, frame.store) == ((5,), False)
            first = await publisher.push("v1.a.1", "t", id="async-1")
            assert await publisher.push("v1.a.1", "t", id="async-1") == first

    asyncio.run(main())


def test_concurrent_pushes_share_a_connection_and_keep_their_order(server):
    async def main() -> list[str]:
        async with AsyncPublisher(server.router_endpoint, LONG_MS) as publisher:
            pushes: list[Coroutine[Any, Any, str]] = [publisher.push("v1.a.1", "t", i) for i in range(3000)]
            return list(await asyncio.gather(*pushes))

    numbers = sequences(asyncio.run(main()))
    assert numbers == list(range(numbers[0], numbers[0] + 3000))


def test_many_are_pushed_in_one_go_beyond_the_window(server):
    async def main() -> list[str]:
        async with AsyncPublisher(server.router_endpoint, LONG_MS) as publisher:
            return await publisher.push_many([{"topics": "v1.a.1", "type": "t", "data": i} for i in range(2500)])

    numbers = sequences(asyncio.run(main()))
    assert numbers == list(range(numbers[0], numbers[0] + 2500))


def test_an_invalid_push_is_not_sent(server):
    async def main() -> None:
        async with AsyncPublisher(server.router_endpoint, LONG_MS) as publisher:
            before = await publisher.position()
            with pytest.raises(InvalidPush, match="type: expected a string of length >= 1"):
                await publisher.push("v1.a.1", "")
            assert await publisher.position() == before

    asyncio.run(main())


def test_a_publish_server_that_is_not_there_is_not_confirmed_in_time():
    async def main() -> None:
        async with AsyncPublisher(NOBODY, timeout_ms=100) as publisher:
            asked = [publisher.push("v1.a.1", "t"), publisher.push("v1.a.1", "t"), publisher.position()]
            results = await asyncio.gather(*asked, return_exceptions=True)
            for result in results:
                assert str(result).startswith(f"push not confirmed by {NOBODY} within 100 ms: no")
                assert "(is the publish server running there" in str(result)

    asyncio.run(main())


def test_it_survives_a_restart_of_the_publish_server():
    async def main() -> None:
        async with AsyncPublisher("tcp://127.0.0.1:1", LONG_MS):
            pass  # never used: nothing to close
        with serving() as first:
            endpoint = first.router_endpoint
            publisher = AsyncPublisher(endpoint, LONG_MS)
            await publisher.push("v1.a.1", "t")
        pushing = asyncio.create_task(publisher.push("v1.a.1", "t"))
        await asyncio.sleep(0)
        with serving(settings(router=endpoint)):
            assert Position.parse(await pushing).sequence == 1
        await publisher.close()

    asyncio.run(main())


def test_unanswered_pushes_are_sent_again_in_order_with_the_same_ids():
    async def main() -> None:
        with double() as (server, endpoint):
            async with AsyncPublisher(endpoint, 2000) as publisher:
                pushing = [asyncio.create_task(publisher.push("v1.a.1", "t")) for _ in range(3)]
                first = [(await asyncio.to_thread(server.take_push))[1] for _ in range(3)]
                again = [await asyncio.to_thread(server.take_push) for _ in range(3)]
                assert [id_ for _, id_ in again] == first
                for number, (routing_id, id_) in enumerate(again):
                    server.answer(routing_id, b"garbage")
                    server.answer(routing_id, encode_stored("another", at(9)))
                    server.answer(routing_id, encode_stored(id_, at(number)))
                assert await asyncio.gather(*pushing) == ["e:0", "e:1", "e:2"]

    asyncio.run(main())


def test_a_late_position_is_not_taken_for_a_later_one():
    async def main() -> None:
        with double() as (server, endpoint):
            async with AsyncPublisher(endpoint, LONG_MS) as publisher:
                asked = asyncio.create_task(publisher.position())
                late, _ = await asyncio.to_thread(server.take)
                asked.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asked
                again = asyncio.create_task(publisher.position())
                routing_id, request = await asyncio.to_thread(server.take)
                assert request == PositionRequest()
                server.answer(late, encode_tail(at(1)))
                server.answer(routing_id, encode_tail(at(2)))
                assert await again == "e:2"

    asyncio.run(main())


def test_a_cancelled_push_leaves_the_others_alone():
    async def main() -> None:
        with double() as (server, endpoint):
            async with AsyncPublisher(endpoint, LONG_MS) as publisher:
                cancelled = asyncio.create_task(publisher.push("v1.a.1", "t", id="same"))
                routing_id, _ = await asyncio.to_thread(server.take_push)
                cancelled.cancel()
                other = asyncio.create_task(publisher.push("v1.a.1", "t"))
                _, id_ = await asyncio.to_thread(server.take_push)
                server.answer(routing_id, encode_stored("same", at(1)))
                server.answer(routing_id, encode_stored(id_, at(2)))
                assert await other == "e:2"

    asyncio.run(main())


def test_a_refusal_by_the_publish_server_is_an_error_with_its_reason():
    async def main() -> None:
        with double() as (server, endpoint):
            async with AsyncPublisher(endpoint, LONG_MS) as publisher:
                pushing = asyncio.create_task(publisher.push("v1.a.1", "t"))
                routing_id, push = await asyncio.to_thread(server.take)
                assert isinstance(push, Push)
                server.answer(routing_id, encode_refused(push.id, "storage_failed", "full"))
                with pytest.raises(PushRefused, match="full"):
                    await pushing

    asyncio.run(main())


def test_closing_ends_the_pushes_that_wait():
    async def main() -> None:
        with double() as (server, endpoint):
            publisher = AsyncPublisher(endpoint, LONG_MS)
            pushing = [asyncio.create_task(publisher.push("v1.a.1", "t")) for _ in range(3)]
            many = asyncio.create_task(publisher.push_many([{"topics": "v1.a.1", "type": "t"}] * 1500))
            await asyncio.to_thread(server.take)
            await publisher.close()
            for result in await asyncio.gather(*pushing, many, return_exceptions=True):
                assert isinstance(result, NotConfirmed)
                assert result.cause == "the publisher was closed"
            with pytest.raises(PushFailed, match="the publisher is closed"):
                await publisher.push("v1.a.1", "t")
            await publisher.close()

    asyncio.run(main())


def test_fire_and_forget_returns_nothing_and_keeps_the_order(server):
    async def main() -> None:
        with followed(server) as subscriber:
            async with AsyncPublisher(server.pull_endpoint, answered=False) as publisher:
                assert await publisher.push("v1.a.1", "0") == ""
                assert (
                    await publisher.push_many([{"topics": "v1.a.1", "type": str(i)} for i in range(1, 50)]) == [""] * 49
                )
                with pytest.raises(PushFailed, match="is told no positions"):
                    await publisher.position()
            events = [next_push(subscriber).event for _ in range(50)]
            assert [b'"type":"%d"' % i in event for i, event in enumerate(events)] == [True] * 50

    asyncio.run(main())


def test_fire_and_forget_to_nobody_fails_when_the_queue_is_full():
    async def main() -> None:
        async with AsyncPublisher(NOBODY, timeout_ms=50, answered=False, linger_ms=0) as publisher:
            with pytest.raises(NotConfirmed, match="the queue is full"):
                await publisher.push_many([{"topics": "v1.a.1", "type": "t"}] * 5000)

    asyncio.run(main())


def test_another_event_loop_gets_a_connection_of_its_own(server):
    publisher = AsyncPublisher(server.router_endpoint, LONG_MS)
    first = asyncio.run(publisher.push("v1.a.1", "t"))
    second = asyncio.run(publisher.push("v1.a.1", "t"))
    assert sequences([first])[0] + 1 == sequences([second])[0]

    async def last() -> None:
        await publisher.push("v1.a.1", "t")
        await publisher.close()

    asyncio.run(last())


def test_each_thread_with_a_loop_of_its_own_pushes_at_the_same_time(server):
    publisher = AsyncPublisher(server.router_endpoint, LONG_MS)
    positions, barrier = [], threading.Barrier(4)

    def view(number):
        barrier.wait()
        for _ in range(10):
            positions.append(asyncio.run(publisher.push("v1.a.1", "t", number)))

    threads = [threading.Thread(target=view, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(positions)) == 40
    asyncio.run(publisher.close())
    with pytest.raises(PushFailed, match="closed"):
        asyncio.run(publisher.push("v1.a.1", "t"))


def test_closing_in_one_loop_ends_what_another_one_waits_for():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        publisher = AsyncPublisher(f"tcp://127.0.0.1:{nobody.getsockname()[1]}", LONG_MS)
        begun, ended = threading.Event(), []

        async def push():
            waiting = asyncio.create_task(publisher.push("v1.a.1", "t"))
            await asyncio.sleep(0)
            begun.set()
            with pytest.raises(NotConfirmed):
                await waiting
            ended.append(True)

        thread = threading.Thread(target=lambda: asyncio.run(push()))
        thread.start()
        begun.wait()
        asyncio.run(publisher.close())
        thread.join()
        assert ended == [True]


def test_a_forked_child_gets_a_connection_of_its_own(server):
    before = server.counters.accepted
    printed = run_python(
        """
import asyncio, os, sys
from stork_node import AsyncPublisher
publisher = AsyncPublisher(sys.argv[1], timeout_ms=20000)
print(asyncio.run(publisher.push("v1.a.1", "before")), flush=True)
child = os.fork()
if child == 0:
    print(asyncio.run(publisher.push("v1.a.1", "child")), flush=True)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
async def last():
    print(await publisher.push("v1.a.1", "after"))
    await publisher.close()
asyncio.run(last())
""",
        server.router_endpoint,
    )
    assert len(set(printed.split())) == 3
    wait_for(lambda: server.counters.accepted == before + 3, "the pushes")


def test_an_endpoint_that_is_none_is_an_error_at_once():
    with pytest.raises(ConfigError, match="endpoint: 'nowhere' is not an endpoint"):
        AsyncPublisher("nowhere")
