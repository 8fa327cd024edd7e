"""``stork reload``: a changed app.py goes live, and no socket is touched; a broken one is refused."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import urllib.request

import pytest

from tests.gateway import STORK, Deployment, Process, wait_for
from tests.wamp import CALL, Closed, Refused

APP = """
import asyncio

from stork_node import Principal, Stork

RELEASE = "one"
stork = Stork()


@stork.authenticator
def check_ticket(request):
    return Principal(authid=request.ticket, extra={"release": RELEASE})


open_feed = stork.feed("v1", "open")


@stork.rpc("test.release", allow=True)
def release(call):
    return RELEASE


@stork.rpc("test.shared", invoke="roundrobin", allow=True)
async def shared(call):
    return RELEASE


@stork.rpc("test.slow", allow=True)
async def slow(call):
    print("slow call has begun")
    await asyncio.sleep(2)
    return RELEASE


@stork.on_start
def start():
    print("start", RELEASE)


@stork.on_stop
def stop():
    print("stop", RELEASE)


@stork.on_join
def joined(session):
    print("joined", session.authid, RELEASE)


@stork.on_leave
def left(session):
    print("left", session.authid, RELEASE)
"""
KEYS = "stork: the keys of the HTTP API and of Pusher's apps are those of config.json now"
NEXT = APP.replace('"one"', '"number two"')


@pytest.fixture
def deployment(tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    with Deployment(tmp_path, app=APP, environ={"XDG_RUNTIME_DIR": str(runtime)}) as deployment:
        deployment.start_publish_server()
        yield deployment


def reload(deployment, folder, **options):
    return subprocess.run(
        [*STORK, "reload", "--config", str(folder)],
        env=deployment.environ,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def release(node, text):
    (node.folder / "app.py").write_text(text)


def page_facts(node):
    """What the page is told, but for the commands."""
    facts = json.load(urllib.request.urlopen(f"{node.page_url}page.json", timeout=10))
    return {name: value for name, value in facts.items() if name != "commands"}


def test_a_changed_application_goes_live_and_every_socket_stays(deployment):
    node = deployment.start_node()
    with node.join("joe") as joe, deployment.publisher() as publisher:
        joe.subscribe("v1.open.1")
        assert joe.call("test.release") == "one"
        [old] = node.workers("ContainerController")
        release(node, NEXT)
        reloaded = reload(deployment, node.folder)
        assert (reloaded.returncode, reloaded.stderr) == (0, "")
        assert reloaded.stdout.splitlines() == [
            KEYS,
            "stork: starting the application process app-2",
            "stork: app-2 has taken over; app finishes what it has begun",
            "stork: the new application runs",
        ]
        assert joe.call("test.release") == "number two"
        assert {joe.call("test.shared") for _ in range(4)} == {"number two"}
        publisher.push("v1.open.1", type="t", data="still here")
        assert joe.event()[1]["data"] == "still here"
        with node.join("jack") as jack:
            assert jack.welcome["authextra"]["release"] == "number two"
        [new] = node.workers("ContainerController")
        assert new != old
        node.wait_for_line("stop one")

        assert page_facts(node) == {"websocket": "ws", "feeds": [], "procedures": [], "trial": False}
        shipped = 'stork.feed("v1", "test")\nTICKET = "STORK_TICKET"\n'
        release(node, APP.replace('"one"', '"number three"') + shipped)
        assert reload(deployment, node.folder).returncode == 0
        assert joe.call("test.release") == "number three"
        assert page_facts(node) == {"websocket": "ws", "feeds": ["v1.test"], "procedures": [], "trial": True}


def test_a_backend_stays_in_charge_when_the_application_is_reloaded(deployment):
    node = deployment.start_node()
    with node.join("joe") as joe:
        with node.backend() as backend:
            answer = {"role": "frontend", "authid": "of the backend"}
            backend.register("io.virge.stork.auth", lambda *_: answer, invoke="last")
            release(node, NEXT)
            assert reload(deployment, node.folder).returncode == 0
            assert joe.call("test.release") == "number two"
            serving = threading.Thread(target=backend.serve, args=(1,))
            serving.start()
            with node.join("jack") as jack:
                assert jack.welcome["authid"] == "of the backend"
            serving.join()
        wait_for(lambda: authid_of_who_joins(node) == "jill", "the application again")
        with node.join("jill") as jill:
            assert jill.welcome["authextra"]["release"] == "number two"


def authid_of_who_joins(node):
    with contextlib.suppress(Closed), node.join("jill") as client:
        return client.welcome["authid"]


def test_what_the_old_application_has_begun_it_finishes(deployment):
    node = deployment.start_node()
    with node.join("joe") as joe:
        joe.send(CALL, 1000, {}, "test.slow", [])
        node.wait_for_line("slow call has begun")
        release(node, NEXT)
        assert reload(deployment, node.folder).returncode == 0
        assert joe.receive()[3] == ["one"]
        assert joe.call("test.release") == "number two"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import no_such_module\n", "app.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:\n", "app.py:1: SyntaxError"),
        (
            NEXT + "\n\n@stork.on_start\ndef fail():\n    raise ConnectionError('no database at db:5432')\n",
            "no database at db:5432",
        ),
        (
            NEXT.replace("test.slow", "backend.procedure"),
            "register for already registered procedure 'backend.procedure'",
        ),
    ],
)
def test_a_broken_application_is_refused_and_the_old_one_stays(deployment, text, sentence):
    node = deployment.start_node()
    with node.join("joe") as joe, node.backend() as backend:
        backend.register("backend.procedure", lambda: None)
        [old] = node.workers("ContainerController")
        release(node, text)
        refused = reload(deployment, node.folder)
        assert refused.returncode == 1
        assert refused.stdout.splitlines() == [KEYS, "stork: starting the application process app-2"]
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert joe.call("test.release") == "one"
        with node.join("jack") as jack:
            assert jack.welcome["authextra"]["release"] == "one"
        assert node.workers("ContainerController") == [old]

        release(node, NEXT)
        assert reload(deployment, node.folder).returncode == 0
        assert joe.call("test.release") == "number two"


def test_no_call_and_no_join_fails_while_it_is_reloaded(deployment):
    node = deployment.start_node()
    stop, failures, releases = threading.Event(), [], {"calls": [], "joins": []}

    def call(name):
        with node.join(name) as client:
            while not stop.wait(0.05):  # a session may call 50 times a second
                try:
                    releases["calls"].append(client.call("test.release"))
                    client.call("test.shared")
                except Exception as error:
                    failures.append(error)
                    return

    def join(name):
        while not stop.is_set():
            try:
                with node.join(name) as client:
                    releases["joins"].append(client.welcome["authextra"]["release"])
                    client.subscribe("v1.open.1")
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=run, args=(f"{run.__name__}er-{n}",)) for run in (call, join) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(3):
            release(node, APP.replace('"one"', f'"number {n}"'))
            assert reload(deployment, node.folder).returncode == 0
        for seen in releases.values():
            wait_for(lambda seen=seen: seen[-1:] == ["number 2"], "the last release")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_present_sessions_join_the_new_application_and_leave_only_it(deployment):
    node = deployment.start_node()
    with node.join("joe"):
        node.wait_for_line("joined joe one")
        release(node, NEXT)
        assert reload(deployment, node.folder).returncode == 0
        node.wait_for_line("joined joe number two")
    node.wait_for_line("left joe number two")
    assert node.log.count("joined joe") == 2
    assert "left joe one" not in node.log


def test_an_application_that_was_reloaded_is_started_again_when_it_dies(deployment):
    node = deployment.start_node()
    release(node, NEXT)
    assert reload(deployment, node.folder).returncode == 0
    [pid] = node.workers("ContainerController")
    os.kill(pid, signal.SIGKILL)
    node.wait_for_line("the process app-2 is gone; it starts again in 0.2 s")
    with node.join("joe") as joe:
        assert joe.call("test.release") == "number two"


def test_it_is_reloaded_under_stork_up(deployment):
    folder, _ = deployment.write_folder("up")
    config = folder / "config.json"
    up = Process([*STORK, "up", "--config", str(folder)], deployment.folder / "up.log", deployment.environ)
    deployment.publish_server.stop()
    deployment.processes.append(up)
    up.wait_for_line("Stork node is ready.")
    (folder / "app.py").write_text(NEXT)
    reloaded = reload(deployment, "up", cwd=deployment.folder)
    assert (reloaded.returncode, reloaded.stderr) == (0, "")
    up.wait_for_line("stop one")
    config.unlink()
    missing = reload(deployment, folder)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == f"stork: {config}: no such file (want the --config of the node)\n"


def test_where_no_node_runs_a_sentence_says_so(deployment):
    folder, _ = deployment.write_folder()
    nobody = reload(deployment, folder)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr == f"stork: no node of this user runs {folder} here\n"


def test_a_node_that_drains_refuses_it(deployment):
    deployment.environ |= {"STORK_DRAIN_WAIT_S": "5"}
    node = deployment.start_node()
    node.popen.send_signal(signal.SIGTERM)
    node.wait_for_line("draining: 0 clients")
    refused = reload(deployment, node.folder)
    assert (refused.returncode, refused.stderr) == (1, "stork: the node is stopping\n")
    assert node.popen.wait(30) == 0


def test_another_one_at_the_same_time_is_refused(deployment):
    node = deployment.start_node()
    release(node, NEXT + "\nimport time\ntime.sleep(3)\n")
    first = subprocess.Popen(
        [*STORK, "reload", "--config", str(node.folder)], env=deployment.environ, stdout=subprocess.PIPE, text=True
    )
    with first:
        assert first.stdout.readline() == f"{KEYS}\n"
        assert first.stdout.readline() == "stork: starting the application process app-2\n"
        second = reload(deployment, node.folder)
        assert (second.returncode, second.stderr) == (1, "stork: another reload is under way\n")
        assert first.wait(60) == 0


@pytest.mark.parametrize("policy", ["single", "roundrobin"])
def test_a_backend_cannot_register_what_the_application_has_for_itself(deployment, policy):
    node = deployment.start_node()
    with node.backend() as backend:
        with pytest.raises(Refused) as refused:
            backend.register("test.release", lambda: None, invoke=policy)
        assert "already registered procedure 'test.release'" in refused.value.args_[0]
        assert backend.call("test.release") == "one"
