"""scripts/bench from outside: it runs, everybody gets everything, and what it writes is well formed. Not how fast."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from benchmarks.cases import FULL, QUICK
from benchmarks.peers import PEERS
from benchmarks.processes import descendants

from tests.gateway import command_line, wait_for

ROOT = Path(__file__).parents[2]
BENCH = str(ROOT / "scripts" / "bench")
QUICK_PEERS = {"stork", "publish-server", "redis", "redis-sentinels", "nats", "nchan"}
PNG = b"\x89PNG\r\n\x1a\n"


def bench(*arguments: object, open_files: int | None = None) -> "subprocess.CompletedProcess[str]":
    command = shlex.join([BENCH, *map(str, arguments)])
    limited = f"ulimit -n {open_files} && {command}" if open_files else command
    return subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The folder of one quick run."""
    folder = tmp_path_factory.mktemp("bench")
    done = bench("--quick", "--output", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == (folder / "table.md").read_text()
    return folder


def test_every_case_has_a_value_of_every_peer_and_nobody_missed_anything(output):
    cases = json.loads((output / "results.json").read_text())["cases"]
    assert list(cases) == [case.name for case in FULL]
    for case in QUICK:
        peers = cases[case.name]["peers"]
        assert set(peers) == QUICK_PEERS & set(case.peers)
        for name, peer in peers.items():
            assert (case.name, name, peer["failure"], peer["remarks"]) == (case.name, name, "", [])
            assert {figure: len(values) for figure, values in peer["values"].items()} == dict.fromkeys(
                (figure.name for figure in case.figures), 1
            )
            assert all(value > 0 for values in peer["values"].values() for value in values), (case.name, name, peer)


def test_results_say_what_was_measured_and_where(output):
    case = json.loads((output / "results.json").read_text())["cases"]["burst-100"]
    assert case["peers"]["nats"]["version"].count(".") == 2
    assert case["machine"]["cores"] >= 1
    assert case["machine"]["processor"]
    assert case["measured_at"].endswith("+00:00")


def test_the_table_has_a_row_for_each_server(output):
    table = (output / "table.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("|")]
    names = [row.split("|")[1].strip() for row in rows]
    assert names[:3] == ["", "---", "**Stork node**"]
    assert {"nchan", "NATS"} <= set(names)
    assert len({row.count("|") for row in rows[:5]}) == 1


def test_the_plot_is_a_picture(output):
    plot = (output / "plot.png").read_bytes()
    assert plot.startswith(PNG)
    assert len(plot) > 10_000


def test_a_run_of_one_case_keeps_the_others(output):
    before = json.loads((output / "results.json").read_text())["cases"]
    done = bench("--quick", "--case", "burst-100", "--peers", "nats,bare", "--rounds", 2, "--output", output)
    assert done.returncode == 0, done.stdout + done.stderr
    after = json.loads((output / "results.json").read_text())["cases"]
    assert set(after["burst-100"]["peers"]) == {"nats", "bare"}
    assert after["burst-100"]["rounds"] == 2
    assert {name: case for name, case in after.items() if name != "burst-100"} == {
        name: case for name, case in before.items() if name != "burst-100"
    }


def test_the_other_servers_deliver_too(tmp_path):
    """All but Centrifugo, which takes minutes to compile."""
    names = ["crossbar", "mosquitto", "bare", "bare-joined"]
    done = bench("--quick", "--case", "burst-100", "--peers", ",".join(names), "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    peers = json.loads((tmp_path / "results.json").read_text())["cases"]["burst-100"]["peers"]
    assert {name: peer["remarks"] for name, peer in peers.items()} == {name: [] for name in names}


def test_the_quick_cases_are_the_full_ones_in_small():
    assert {case.name: type(case) for case in QUICK} == {case.name: type(case) for case in FULL}


def test_cases_and_peers_are_listed():
    listed = bench("--list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [case.name for case in FULL]
    assert "burst-100      1,000 subscribers × 100 pushes at once  (stork, crossbar, nchan, " in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "none"], "there is no case 'none'; there are burst-1000, burst-100,"),
        (["--peers", "nats,none"], f"there is no peer 'none'; there are {', '.join(PEERS)}"),
        (["--rounds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_a_name_that_there_is_not_is_wrong_usage(arguments, said):
    done = bench(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_servers_end_with_a_benchmark_that_is_stopped(tmp_path):
    running = subprocess.Popen(
        [BENCH, "--case", "paced", "--peers", "nats", "--output", tmp_path], stdout=subprocess.PIPE
    )
    servers = wait_for(lambda: [pid for pid in descendants(running.pid) if "nats.conf" in command_line(pid)], "NATS")
    running.terminate()
    assert running.wait(30) == 1
    assert running.communicate()[0] == b""
    assert [pid for pid in servers if command_line(pid)] == []


def test_too_few_open_files_are_told_before_anything_is_started(tmp_path):
    done = bench("--case", "idle", "--peers", "nats", "--output", tmp_path / "out", open_files=1_000)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "bench: 10,000 connections need 10,500 open files in a process, and 1,000 are allowed: "
        "raise it with ulimit -Hn, or name other cases with --case"
    )
    assert not (tmp_path / "out").exists()
