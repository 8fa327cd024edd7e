"""
The same loss with Centrifugo and with Stork: ``python -m tests.chaos.engine.lost_tail [PATH OF CENTRIFUGO]``.

A Redis with two replicas, and three Sentinels. The replicas stop, five more messages are published and answered ok, and
the master is killed. A subscriber who was away since the second of the five comes back after five others, and asks for
what it has missed. What is answered, and what it got, is printed as a table.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.gateway import Deployment, Node, free_ports, wait_for
from tests.redis_sentinels import Sentinels

BEFORE, LOST, AFTER = ["a1", "a2", "a3"], ["b1", "b2", "b3", "b4", "b5"], ["c1", "c2", "c3", "c4", "c5"]
SEEN = 2  # of those that are lost, so many were delivered
TOPIC = "v1.test.1"


@dataclass(frozen=True)
class Outcome:
    """
    What a subscriber was told who came back.

    Attributes:
        recovered: whether the server says that nothing is missing.
        got: what it was handed then.
        again: positions that were answered for two messages.
    """

    recovered: bool
    got: list[str]
    again: list[str]

    @property
    def missing_in_silence(self) -> list[str]:
        """What it is owed, has not got, and was not told of."""
        if not self.recovered:
            return []
        return [each for each in [*LOST[SEEN:], *AFTER] if each not in self.got]


@contextmanager
def lost_tail(sentinels: Sentinels) -> Iterator[Callable[[], None]]:
    """Within it the replicas are stopped; what is given ends the master, and waits for another one."""
    master = sentinels.master
    replicas = [server for server in sentinels.servers if server is not master]
    for server in replicas:
        server.freeze()
    # Else what was sent to them meanwhile waits in their sockets.
    master.call("CLIENT", "KILL", "TYPE", "replica")

    def kill() -> None:
        master.kill()
        for server in replicas:
            server.thaw()
        wait_for(lambda: sentinels.master is not master, "another master", 60)

    yield kill
    for server in replicas:
        server.thaw()


# -- Centrifugo --------------------------------------------------------------------------------------------------------


def with_centrifugo(program: str, folder: Path, sentinels: Sentinels) -> Outcome:
    port, internal = free_ports(2)
    redis = {"sentinel_address": [f"127.0.0.1:{each}" for each in sentinels.ports], "sentinel_master_name": "stork"}
    history = {"history_size": 1000, "history_ttl": "300s", "force_recovery": True}
    config = {
        "http_server": {"address": "127.0.0.1", "port": port, "internal_address": "127.0.0.1"},
        "client": {"insecure": True, "allowed_origins": ["*"]},
        "channel": {"without_namespace": history},
        "http_api": {"key": "key"},
        "engine": {"type": "redis", "redis": redis},
    }
    config["http_server"]["internal_port"] = internal
    path = folder / "centrifugo.json"
    path.write_text(json.dumps(config))
    with (folder / "centrifugo.log").open("wb") as log:
        server = subprocess.Popen([program, "-c", str(path)], stdout=log, stderr=log)
    try:
        wait_for(lambda: _publish(internal, "warm-up", 2), "Centrifugo answers", 30)
        return _away_with_centrifugo(port, internal, sentinels)
    finally:
        server.terminate()
        server.wait()


def _away_with_centrifugo(port: int, internal: int, sentinels: Sentinels) -> Outcome:
    with _centrifugo_client(port) as live:
        since = _subscribe(live)
        positions = [_publish(internal, each, 5) for each in BEFORE]
        with lost_tail(sentinels) as kill:
            positions += [_publish(internal, each, 5) for each in LOST]
            kill()
        epoch, offset = since["epoch"], int(positions[len(BEFORE) + SEEN - 1].rpartition(":")[2])
    for each in AFTER:
        positions.append(wait_for(lambda each=each: _publish(internal, each, 5), "Centrifugo answers again", 60))
    answer = wait_for(lambda: _recovered(port, epoch, offset), "Centrifugo recovers", 60)
    got = [each["data"] for each in answer.get("publications", [])]
    again = sorted({each for each in positions if positions.count(each) > 1})
    return Outcome(bool(answer.get("recovered")), got, again)


def _publish(port: int, data: str, timeout_s: float) -> str:
    """The position of what was published; empty where it was not."""
    body = json.dumps({"channel": TOPIC, "data": data}).encode()
    headers = {"X-API-Key": "key", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/publish", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            result = json.loads(response.read()).get("result")
    except OSError:
        return ""
    return f"{result['epoch']}:{result['offset']}" if result else ""


@contextmanager
def _centrifugo_client(port: int) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}/connection/websocket", proxy=None) as socket:
        socket.send('{"id":1,"connect":{}}')
        socket.recv(timeout=10)
        yield socket


def _recovered(port: int, epoch: str, offset: int) -> dict[str, Any] | None:
    """The answer to a subscriber who comes back; None while Centrifugo looks for its Redis."""
    try:
        with _centrifugo_client(port) as back:
            return _subscribe(back, recover=True, epoch=epoch, offset=offset)
    except (ConnectionClosed, OSError, KeyError):
        time.sleep(0.2)
        return None


def _subscribe(socket: ClientConnection, **since: Any) -> dict[str, Any]:
    socket.send(json.dumps({"id": 2, "subscribe": {"channel": TOPIC, **since}}))
    while True:
        for line in str(socket.recv(timeout=10)).splitlines():
            answer = json.loads(line)
            if answer.get("id") == 2:
                found: dict[str, Any] = answer["subscribe"]
                return found


# -- Stork -------------------------------------------------------------------------------------------------------------


def with_stork(folder: Path, sentinels: Sentinels) -> Outcome:
    """``wait`` is 0 here, as Centrifugo does not wait for replicas; by itself Stork would not have answered ok."""
    with Deployment(folder, environ={"STORK_ENGINE": sentinels.url}) as deployment:
        deployment.start_publish_server().wait_for_line("publish server is up")
        node_folder, port = deployment.write_folder("node")
        log = folder / "node.log"
        node = Node(node_folder, port, deployment.operator_ports[port], log, deployment.environ, "--checked")
        deployment.processes.append(node)
        node.wait_for_line("the node is ready", 400)
        with deployment.publisher(timeout_ms=40_000) as publisher:
            positions = [publisher.push(TOPIC, "t", each) for each in BEFORE]
            with lost_tail(sentinels) as kill:
                sentinels.master.call("HSET", "{stork}:meta", "wait", "0")
                positions += [publisher.push(TOPIC, "t", each) for each in LOST]
                kill()
            positions += [publisher.push(TOPIC, "t", each) for each in AFTER]
        wait_for(lambda: "a break" in node.log, "the node has met the new epoch", 60)
        back = node.join()
        back.subscribe(TOPIC)
        since = positions[len(BEFORE) + SEEN - 1]
        answer = wait_for(lambda: _recover(back, since), "the node recovers", 60)
        got = [each["data"] for each in answer.get("events", [])]
    return Outcome(answer["recovered"], got, sorted({each for each in positions if positions.count(each) > 1}))


def _recover(client: Any, since: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.call("io.virge.stork.recover", {TOPIC: since})[TOPIC]
    except Exception as error:
        if "not_ready" in str(error):
            time.sleep(0.2)
            return None
        raise
    return found


def table(outcomes: dict[str, Outcome]) -> str:
    rows = [
        ("", *outcomes),
        ("the subscriber is told", *("recovered" if each.recovered else "a gap" for each in outcomes.values())),
        ("it got", *(" ".join(each.got) or "nothing, and loads anew" for each in outcomes.values())),
        ("missing, and not told", *(" ".join(each.missing_in_silence) or "nothing" for each in outcomes.values())),
        ("positions given twice", *(str(len(each.again)) for each in outcomes.values())),
    ]
    rule = tuple("---" for _ in rows[0])
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def main() -> None:
    program = sys.argv[1] if len(sys.argv) > 1 else "centrifugo"
    outcomes = {}
    runs: dict[str, Callable[[Path, Sentinels], Outcome]] = {
        "Centrifugo": lambda folder, sentinels: with_centrifugo(program, folder, sentinels),
        "Stork": with_stork,
    }
    for name, run in runs.items():
        with tempfile.TemporaryDirectory(prefix="stork-lost-tail-") as folder, Sentinels(Path(folder)) as sentinels:
            outcomes[name] = run(Path(folder), sentinels)
            print(name, outcomes[name], flush=True)
    print(table(outcomes))


if __name__ == "__main__":
    main()
