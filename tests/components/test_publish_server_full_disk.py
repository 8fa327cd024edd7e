"""A real disk that is full, and has room again; and one that cannot be written at all."""

import json
import subprocess
from contextlib import suppress

import pytest
import zmq

from stork_node.publish_server import PublishServer
from stork_node.push_log import UnusableFolder
from tests.components.replaying import all_pages, frames_of, numbers_of
from tests.components.served import Peer, peer, serving, settings, wait_for
from tests.malformed import document


def ask(socket: Peer, frame: bytes) -> dict[str, object]:
    socket.send(frame)
    return json.loads(socket.recv())


def test_a_full_disk_is_said_and_pull_waits_and_all_goes_on_by_itself(small_disk, caplog):
    data, ballast = small_disk / "data", small_disk / "ballast"
    with (
        serving(settings(data=data)) as server,
        peer(zmq.DEALER, server.router_endpoint) as dealer,
        peer(zmq.PUSH, server.pull_endpoint) as pusher,
        peer(zmq.DEALER, server.replay_endpoint) as relay,
    ):
        assert ask(dealer, document(id="before"))["ok"]
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(100))
        reason = f"No space left on device (the log in {data}/log)"
        # The last page of the file has room for some more.
        stored = 1
        while (refused := ask(dealer, document(id=f"k{stored}")))["ok"]:
            stored += 1
        id_ = f"k{stored}"
        assert refused == {"ok": False, "id": id_, "error": "storage_failed", "reason": reason}
        assert ask(dealer, document(id="before"))["duplicate"] is True
        for number in range(5):
            pusher.send(document(data=number))
        wait_for(lambda: "PULL is paused" in caplog.text, "the word about PULL")
        assert ask(dealer, document(id=id_))["error"] == "storage_failed"
        assert ask(dealer, b'{"position":true}') == {"ok": True, "position": f"{server.position.epoch}:{stored}"}
        assert len(frames_of(all_pages(relay))) == stored

        ballast.unlink()
        wait_for(lambda: server.position.sequence == stored + 5, "the pushes of PULL")
        again = ask(dealer, document(id=id_))
        assert again == {"ok": True, "id": id_, "position": f"{server.position.epoch}:{stored + 6}"}
        assert ask(dealer, document(id=id_)) == again | {"duplicate": True}
        assert numbers_of(all_pages(relay)) == list(range(1, stored + 7))
    said = [record.getMessage() for record in caplog.records if record.name == "stork_node.publish_server"]
    assert said == [f"cannot store pushes; PULL is paused, and ROUTER answers storage_failed: {reason}"]


def test_a_server_starts_on_a_full_disk_and_stores_once_there_is_room(small_disk):
    data, ballast = small_disk / "data", small_disk / "ballast"
    with serving(settings(data=data)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        assert ask(dealer, document(id="k"))["ok"]
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(100))
    with serving(settings(data=data)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        assert ask(dealer, document(data="x" * 10_000))["error"] == "storage_failed"
        assert ask(dealer, document(id="k"))["duplicate"] is True
        ballast.unlink()
        assert ask(dealer, document(data="x" * 10_000))["ok"]


def test_a_read_only_disk_is_said_at_the_start_and_loses_nothing(small_disk):
    with serving(settings(data=small_disk)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        first = ask(dealer, document(id="k"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    try:
        with pytest.raises(UnusableFolder, match=r"log cannot be used: Read-only file system$"):
            PublishServer(settings(data=small_disk))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    with serving(settings(data=small_disk)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        assert ask(dealer, document(id="k")) == first | {"duplicate": True}
