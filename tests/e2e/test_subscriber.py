"""The Python subscriber on real nodes."""

import asyncio

import pytest

from stork_node import AsyncPublisher, Subscriber, SubscriberEnded, SubscriptionRefused
from tests.gateway import BACKEND_SECRET, TICKET, Deployment
from tests.link import Link

DEADLINE_S = 30


def test_a_subscriber_gets_what_is_pushed_in_order(shipped: Deployment) -> None:
    async def main() -> None:
        events: asyncio.Queue[object] = asyncio.Queue()
        async with (
            Subscriber(shipped.nodes[0].url, ticket=TICKET) as stork,
            AsyncPublisher(shipped.router) as publisher,
        ):
            subscription = stork.subscribe("v1.test.subscriber", lambda event: events.put_nowait(event.data))
            await stork.wait_subscribed(subscription)
            await asyncio.gather(*(publisher.push("v1.test.subscriber", "n", n) for n in range(100)))
            assert [await asyncio.wait_for(events.get(), DEADLINE_S) for _ in range(100)] == list(range(100))

    asyncio.run(main())


def test_a_backend_follows_by_its_secret(shipped: Deployment) -> None:
    async def main() -> None:
        events: asyncio.Queue[object] = asyncio.Queue()
        async with (
            Subscriber(shipped.nodes[1].url, secret=BACKEND_SECRET) as stork,
            AsyncPublisher(shipped.router) as publisher,
        ):
            subscription = stork.subscribe("v1.user.subscriber", events.put_nowait)
            await stork.wait_subscribed(subscription)
            position = await publisher.push("v1.user.subscriber", "hello", {"a": 1})
            event = await asyncio.wait_for(events.get(), DEADLINE_S)
            assert (event.topic, event.data, event.position) == ("v1.user.subscriber", {"a": 1}, position)

    asyncio.run(main())


def test_a_wrong_ticket_is_final(shipped: Deployment) -> None:
    async def main() -> None:
        async with Subscriber(shipped.nodes[0].url, ticket="wrong") as stork:
            with pytest.raises(SubscriberEnded, match=r"denied \(io\.virge\.stork\.denied: the ticket was refused\)$"):
                await asyncio.wait_for(stork.wait_closed(), DEADLINE_S)

    asyncio.run(main())


def test_a_topic_that_is_not_allowed_is_refused(shipped: Deployment) -> None:
    async def main() -> None:
        async with Subscriber(shipped.nodes[0].url, ticket=TICKET) as stork:
            subscription = stork.subscribe("v1.user.somebody-else", print)
            with pytest.raises(SubscriptionRefused, match=r"no subscription to v1\.user\.somebody-else: denied"):
                await asyncio.wait_for(stork.wait_subscribed(subscription), DEADLINE_S)

    asyncio.run(main())


def test_what_is_pushed_while_the_link_is_cut_is_recovered(shipped: Deployment) -> None:
    async def main(link: Link) -> None:
        told: asyncio.Queue[object] = asyncio.Queue()
        url = link.endpoint.replace("tcp://", "ws://") + "/ws"

        async def next_() -> object:
            return await asyncio.wait_for(told.get(), DEADLINE_S)

        async with Subscriber(url, ticket=TICKET) as stork, AsyncPublisher(shipped.router) as publisher:
            subscription = stork.subscribe(
                "v1.test.cut",
                lambda event: told.put_nowait(event.data),
                since=await publisher.position(),
                on_recovered=lambda topic, ok, position: told.put_nowait((topic, ok)),
            )
            assert await next_() == ("v1.test.cut", True)
            await publisher.push("v1.test.cut", "n", 1)
            assert await next_() == 1
            link.cut(reset=True)
            await publisher.push("v1.test.cut", "n", 2)
            position = await publisher.push("v1.test.cut", "n", 3)
            link.mend()
            assert [await next_() for _ in range(3)] == [2, 3, ("v1.test.cut", True)]
            assert subscription.position == position

    with Link(f"tcp://127.0.0.1:{shipped.nodes[0].port}") as link:
        asyncio.run(main(link))
