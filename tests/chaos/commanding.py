"""
Commands, and the users whom they name, in a process of their own: ``python -m tests.chaos.commanding URL PORT SEED``.

Each user has two connections, which come back whenever they end. A commander ends all sessions of one user after the
other, and repeats a command with its id until the answer is complete. One JSON line for each fact:

    {"kind": "session", "user", "session", "asked_at", "at"}      WELCOME has come; asked_at: before it connected
    {"kind": "event", "session", "position", "at"}
    {"kind": "ended", "session", "how", "at"}                     disconnected, a close code, or lost
    {"kind": "command", "id", "command", "user", "position" or null, "complete", "tried_at", "at"}

A line on standard input ends the commands. Its end ends all; connections that are open then say nothing more.
"""

import asyncio
import json
import os
import random
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from stork_node import Publisher, PushFailed

USERS, CONNECTIONS = 4, 2
TOPICS = tuple(f"v1.chaos.{n}" for n in range(10))
GIVE_UP_S = 40.0
SILENT_S = 60.0
_writing = threading.Lock()


def say(kind: str, **what: Any) -> None:
    with _writing:
        print(json.dumps({"kind": kind, **what}), flush=True)


def command(endpoint: str, seed: int, stopping: threading.Event) -> None:
    chance = random.Random(f"{seed} commands")
    with Publisher(endpoint, timeout_ms=2000) as publisher:
        number = 0
        while not stopping.wait(chance.uniform(0.5, 3.0)):
            number += 1
            kind, user = chance.choice(["disconnect", "refresh"]), f"named {chance.randrange(USERS)}"
            given: dict[str, Any] = {"id": f"command-{number}", "command": kind, "user": user, "tried_at": time.time()}
            position, complete = None, False
            while not complete and time.time() < given["tried_at"] + GIVE_UP_S and not stopping.is_set():
                with suppress(PushFailed):
                    result = publisher.command(kind, authid=user, id=given["id"], timeout_ms=2000)
                    position, complete = result.position, result.complete
            say("command", **given, position=position, complete=complete, at=time.time())


async def stay(url: str, user: str, chance: random.Random) -> None:
    """One connection of a user, again and again."""
    while True:
        asked_at, session, how = time.time(), 0, "lost"
        try:
            async with asyncio.timeout(20):
                subprotocols = [Subprotocol("wamp.2.json")]
                socket = await connect(url, subprotocols=subprotocols, compression=None, proxy=None, close_timeout=1)
            async with socket:
                async with asyncio.timeout(30):
                    session = await join(socket, user)
                if session:
                    say("session", user=user, session=session, asked_at=asked_at, at=time.time())
                    how = await listen(socket, session, chance.sample(TOPICS, 3))
        except ConnectionClosed as closed:
            how = str(closed.rcvd.code) if closed.rcvd else "lost"
        except (OSError, InvalidHandshake, TimeoutError):
            pass
        if session:
            say("ended", session=session, how=how, at=time.time())
        await asyncio.sleep(chance.uniform(0.05, 1.0))


async def join(socket: ClientConnection, user: str) -> int:
    """The session's id; 0 if it may not join."""
    hello = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": user}
    await socket.send(json.dumps([1, "realm1", hello]))
    while (message := json.loads(await socket.recv()))[0] == 4:
        await socket.send(json.dumps([5, user, {}]))
    return int(message[1]) if message[0] == 2 else 0


async def listen(socket: ClientConnection, session: int, topics: list[str]) -> str:
    for number, topic in enumerate([*topics, "io.virge.stork.beat"], 1):
        await socket.send(json.dumps([32, number, {}, topic]))
    while True:
        async with asyncio.timeout(SILENT_S):
            message = json.loads(await socket.recv())
        if message[0] == 36 and message[4:5] not in ([], [[]]):
            say("event", session=session, position=message[5]["position"], at=time.time())
        elif message[0] == 6:
            return "disconnected" if message[2] == "io.virge.stork.disconnected" else str(message[2])


async def main(url: str, endpoint: str, seed: int) -> None:
    stopping = threading.Event()
    threading.Thread(target=command, args=(endpoint, seed, stopping), daemon=True).start()
    connections = [
        asyncio.create_task(stay(url, f"named {user}", random.Random(f"{seed} {user} {connection}")))
        for user in range(USERS)
        for connection in range(CONNECTIONS)
    ]
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    stopping.set()
    await loop.run_in_executor(None, sys.stdin.read)
    assert not [task for task in connections if task.done()], "a connection has failed"
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
