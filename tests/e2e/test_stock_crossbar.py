"""The shipped configuration under stock Crossbar: it authenticates, authorizes and delivers."""

import os
import signal
import subprocess
import sys

import pytest

from tests.gateway import ROOT, TICKET, Deployment, Process, push_until_it_arrives, wait_for
from tests.wamp import Aborted, Client, Refused

CROSSBAR = os.path.join(os.path.dirname(sys.executable), "crossbar")


def test_crossbar_check_accepts_the_shipped_configuration():
    checked = subprocess.run(
        [CROSSBAR, "check", "--cbdir", str(ROOT / ".crossbar")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Ok, node configuration looks good!" in checked.stdout


def test_stock_crossbar_authenticates_authorizes_and_delivers(tmp_path):
    with Deployment(tmp_path) as deployment:
        folder, port = deployment.write_folder()
        del deployment.environ["STORK_DATA"]
        path = os.pathsep.join([os.path.dirname(sys.executable), deployment.environ["PATH"]])
        node = Process(
            [CROSSBAR, "start", "--cbdir", str(folder), "--loglevel", "info"],
            tmp_path / "crossbar.log",
            {**deployment.environ, "PATH": path},
            cwd=tmp_path,
        )
        deployment.processes.append(node)
        node.wait_for_line("Ok, local node configuration ran successfully", 60)
        url = f"ws://127.0.0.1:{port}/ws"
        wait_for(lambda: "publish server is up" in node.log, "the publish server as a guest of Crossbar's")
        assert (tmp_path / ".stork/log").is_dir()  # where it is without stock Crossbar, too: beside .crossbar/
        with Client(url) as client, deployment.publisher() as publisher:
            client.join(TICKET, "joe")
            client.subscribe("v1.user.joe")
            with pytest.raises(Refused, match="not_authorized"):
                client.subscribe("v1.user.jack")
            event = push_until_it_arrives(publisher, client, "v1.user.joe")
            assert event["type"] == "again"
            assert client.call("virge.stork.example.foo", name="x") == {"bar": "x"}
        with Client(url) as client, pytest.raises(Aborted) as refusal:
            client.join("wrong")
        assert refusal.value.uri == "io.virge.stork.denied"
        with Client(url) as client, pytest.raises(Aborted):
            client.join(authid="backend", secret="")
        node.popen.send_signal(signal.SIGINT)
        node.popen.wait(30)
