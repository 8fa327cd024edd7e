"""docs/delivery.md#the-clients-algorithm, followed with plain autobahn."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from tests.gateway import TICKET, Deployment, Process, wait_for

TOPIC = "v1.test.plain"


def said(client: Process, word: str) -> list[object]:
    """The values of one of its words, in order; autobahn logs there, too."""
    lines = client.log.splitlines(keepends=True)
    return [json.loads(line)[word] for line in lines if line.startswith(f'{{"{word}"') and line.endswith("\n")]


def test_plain_autobahn_moves_without_loss_and_is_told_of_a_new_log(tmp_path):
    with Deployment(tmp_path) as deployment, deployment.publisher(timeout_ms=20_000) as publisher:
        deployment.start_publish_server()
        one, two = deployment.start_node("one"), deployment.start_node("two")
        program = Path(__file__).with_name("plain_autobahn.py")
        command = [sys.executable, "-u", str(program), TICKET, TOPIC, one.url, two.url]
        client = Process(command, tmp_path / "client.log", dict(os.environ))
        deployment.processes.append(client)
        wait_for(lambda: said(client, "recovered") == [False], "its first answer")

        def push(numbers: range) -> None:
            for number in numbers:
                publisher.push(TOPIC, type="n", data=number)

        push(range(20))
        wait_for(lambda: said(client, "data") == list(range(20)), "20 events")
        [router] = one.workers("RouterController")
        os.kill(router, signal.SIGKILL)
        push(range(20, 40))
        wait_for(lambda: len(said(client, "data")) >= 40, "all that was pushed meanwhile")
        assert said(client, "data") == list(range(40))
        assert said(client, "recovered") == [False, True]

        deployment.publish_server.stop()
        shutil.rmtree(tmp_path / "data")
        deployment.start_publish_server()
        wait_for(lambda: said(client, "recovered") == [False, True, False], "the word about the other log")
        push(range(40, 43))
        wait_for(lambda: len(said(client, "data")) >= 43, "3 more")
        assert said(client, "data") == list(range(43))
