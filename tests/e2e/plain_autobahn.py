"""
docs/delivery.md#the-clients-algorithm, with plain autobahn and nothing of this library.

    python plain_autobahn.py TICKET TOPIC URL…

Prints a line of JSON for each answer of recover, ``{"recovered": …}``, and each event handed on, ``{"data": …}``.
"""

import asyncio
import json
import sys
from typing import Any

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError

RECOVER, BEAT = "io.virge.stork.recover", "io.virge.stork.beat"

ticket, topic, *urls = sys.argv[1:]
component = Component(
    transports=[{"type": "websocket", "url": url, "max_retries": -1, "max_retry_delay": 1} for url in urls],
    realm="realm1",
    authentication={"ticket": {"authid": None, "ticket": ticket}},
)


class Place:
    """The client's place in the topic."""

    position: str | None = None

    def move_to(self, position: str) -> bool:
        """Whether ``position`` is greater, or of another epoch; then it is the topic's."""
        if self.position is not None:
            (epoch, number), (its_epoch, its_number) = position.split(":"), self.position.split(":")
            if epoch == its_epoch and int(number) <= int(its_number):
                return False
        self.position = position
        return True


place = Place()


def hand_on(event: dict[str, Any], position: str) -> None:
    if place.move_to(position):
        print(json.dumps({"data": event["data"]}), flush=True)


@component.on_join
async def joined(session: Any, _: Any) -> None:
    held: list[tuple[dict[str, Any], str]] | None = []

    def on_event(event: dict[str, Any], position: str) -> None:
        if held is None:
            hand_on(event, position)
        else:
            held.append((event, position))

    def on_beat(position: str) -> None:
        if held is None:
            place.move_to(position)

    await session.subscribe(on_event, topic)
    await session.subscribe(on_beat, BEAT)
    more = True
    while more:
        try:
            answer = (await session.call(RECOVER, {topic: place.position}))[topic]
        except ApplicationError as error:
            if error.error != "io.virge.stork.not_ready":
                raise
            await asyncio.sleep(0.5)
            continue
        print(json.dumps({"recovered": answer["recovered"]}), flush=True)
        for event in answer["events"]:
            hand_on(event, event["position"])
        place.move_to(answer["position"])
        more = answer.get("more", False)
    waiting, held = held, None
    for event, position in waiting:
        hand_on(event, position)


run([component], log_level="error")
