"""
Pushers, in a process of their own: ``python -m tests.chaos.pushing ENDPOINTS TOPICS SEED RATE``.

Each pushes on, one push after the other, and repeats a push with the same id until it is answered, however long that
takes. Two use ``Publisher``; the third is raw ZMQ, with several documents under way at a time. Topics are shared, and
of several endpoints (with commas) each pusher begins with another, and goes on to the next without an answer. One
JSON line for each answer, or at the end for what was never answered:

    {"pusher", "id", "topics", "stored", "position" or null, "tried_at", "at", "tries"}

A line ``stop`` on standard input ends it, after what is under way was answered or ten seconds later.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import zmq

from stork_node import Publisher, PushFailed

GIVE_UP_S = 10.0
UNDER_WAY = 5
ANSWER_MS = 3000

stopping = threading.Event()
gave_up_at = float("inf")
writing = threading.Lock()


def documents(name: str, topics: list[str], seed: int) -> Iterator[dict[str, Any]]:
    """Pushes without end: mostly to one topic, some to several, some not stored, some of 20 KB."""
    chance = random.Random(f"{seed} {name}")
    number = 0
    while True:
        number += 1
        id_ = f"{name}-{number}"
        chosen = chance.sample(topics, chance.choice([1, 1, 1, 1, 2, 3]))
        padding = "x" * (20_000 if chance.random() < 0.02 else chance.randrange(100))
        yield {
            "topics": chosen,
            "type": "chaos",
            "data": {"id": id_, "padding": padding},
            "id": id_,
            "store": chance.random() >= 0.05,
        }


def answered(name: str, document: dict[str, Any], position: str | None, tried_at: float, tries: int) -> None:
    line = {
        # What is sent again is not in the order in which it was sent first.
        "pusher": name if name != "raw" or tries == 1 else f"raw {document['id']}",
        "id": document["id"],
        "topics": document["topics"],
        "stored": document["store"],
        "position": position,
        "tried_at": tried_at,
        "at": time.time(),
        "tries": tries,
    }
    with writing:
        print(json.dumps(line), flush=True)


def may_go_on() -> bool:
    return time.time() < gave_up_at


def push_by_publisher(name: str, endpoint: str, topics: list[str], seed: int, pause_s: float) -> None:
    with Publisher(endpoint, timeout_ms=2000) as publisher:
        for document in documents(name, topics, seed):
            if stopping.wait(pause_s):
                return
            tried_at, tries, position = time.time(), 0, None
            while position is None and may_go_on():
                tries += 1
                try:
                    position = publisher.push(**document)
                except PushFailed:
                    time.sleep(0.1)
            answered(name, document, position, tried_at, tries)


def push_raw(name: str, endpoints: list[str], topics: list[str], seed: int, pause_s: float) -> None:
    """A DEALER with documents under way; where an answer fails to come, a new socket, and all again, in order."""
    context = zmq.Context()
    source, turns = documents(name, topics, seed), cycle(endpoints)
    endpoint = next(turns)
    while not stopping.wait(pause_s * UNDER_WAY):
        batch = [next(source) for _ in range(UNDER_WAY)]
        tried_at, tries = time.time(), 0
        while batch and may_go_on():
            tries += 1
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(endpoint)
            for document in batch:
                socket.send(json.dumps(document).encode())
            while batch and socket.poll(ANSWER_MS):
                answer = json.loads(socket.recv())
                if not answer["ok"]:  # no room: what comes after it may be stored, so that all are sent again
                    time.sleep(0.2)
                    break
                assert answer["id"] == batch[0]["id"], (answer, batch[0])
                answered(name, batch.pop(0), answer["position"], tried_at, tries)
            socket.close()
            if batch:
                endpoint = next(turns)
        for document in batch:
            answered(name, document, None, tried_at, tries)
    context.term()


def main() -> None:
    global gave_up_at
    endpoints, topics, seed, rate = sys.argv[1].split(","), sys.argv[2].split(","), int(sys.argv[3]), float(sys.argv[4])
    ann, bob, raw = ([*endpoints[n:], *endpoints[:n]] for n in (i % len(endpoints) for i in range(3)))
    pause_s = 3 / rate
    threads = [
        threading.Thread(target=push_by_publisher, args=("ann", ",".join(ann), topics, seed, pause_s)),
        threading.Thread(
            target=push_by_publisher, args=("bob", ",".join(bob), topics[: len(topics) // 2], seed, pause_s)
        ),
        threading.Thread(target=push_raw, args=("raw", raw, topics, seed, pause_s)),
    ]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    gave_up_at = time.time() + GIVE_UP_S
    stopping.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
