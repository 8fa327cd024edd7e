"""scripts/push.php, as it is typed."""

from __future__ import annotations

import os
import subprocess

import pytest
from php_process import DEADLINE_S, PLAIN, ROOT
from router_double import Arrival, RouterDouble

SECRET = "s3cret"


def run(*arguments: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error, of a PHP without extensions."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STORK_")}
    done = subprocess.run(
        [*PLAIN, f"{ROOT}/scripts/push.php", *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        env=clean | environment,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_it_pushes_and_prints_the_position(server: RouterDouble) -> None:
    assert run("v1.test.1,v1.user.7", "hello", '{"n": 1.50}', "--endpoint", server.endpoint) == (0, "epoch:1\n", "")
    assert server.documents[0]["topics"] == ["v1.test.1", "v1.user.7"]
    assert b'"type":"hello","data":{"n": 1.50},' in server.arrivals[0].frames[0]


def test_data_may_be_left_out_or_come_from_standard_input(server: RouterDouble) -> None:
    endpoint = f"--endpoint={server.endpoint}"
    long = '"' + "x" * 500_000 + '"'
    assert run(endpoint, "v1.test.1", "t")[:2] == (0, "epoch:1\n")
    assert run(endpoint, "v1.test.1", "t", "-", stdin=long)[:2] == (0, "epoch:2\n")
    assert run(endpoint, "--", "v1.test.1", "t", "-1")[:2] == (0, "epoch:3\n")
    assert [document["data"] for document in server.documents] == [None, "x" * 500_000, -1]


def test_without_an_answer_it_prints_nothing(server: RouterDouble) -> None:
    assert run("--no-answer", "--endpoint", server.endpoint, "v1.test.1", "t") == (0, "", "")
    assert server.wait_for(1)[0].document["type"] == "t"


def test_the_secret_comes_from_the_environment() -> None:
    with RouterDouble(secret=SECRET) as server:
        assert run("v1.test.1", "t", "--endpoint", server.endpoint, STORK_BUS_SECRET=SECRET) == (0, "epoch:1\n", "")


def test_it_runs_as_a_program_from_any_directory(server: RouterDouble) -> None:
    command = [f"{ROOT}/scripts/push.php", "v1.test.1", "t", "--endpoint", server.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=DEADLINE_S, check=True)
    assert done.stdout == "epoch:1\n"


def test_help_is_printed_and_nothing_is_pushed() -> None:
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert out.startswith("Usage: php scripts/push.php [options] TOPIC[,TOPIC...] TYPE [DATA]\n")
    for word in (
        "--endpoint",
        "--timeout-ms",
        "--no-answer",
        "STORK_PUBLISH_SERVER",
        "STORK_BUS_SECRET",
        "Exit status",
    ):
        assert word in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "a topic and a type are needed. Usage: php scripts/push.php [options] TOPIC[,TOPIC...] TYPE [DATA]"),
        (
            ["v1.test.1"],
            "a topic and a type are needed. Usage: php scripts/push.php [options] TOPIC[,TOPIC...] TYPE [DATA]",
        ),
        (
            ["v1.test.1", "t", "{id:", "1}"],
            "too many arguments (is DATA quoted?). Usage: php scripts/push.php [options] TOPIC[,TOPIC...] TYPE [DATA]",
        ),
        (["v1.test.1", "t", "{id: 1}"], "the data is not JSON: Syntax error"),
        (["v1.test.1,", "t"], "topics[1] is not a non-empty string, such as v1.orders.42"),
        (["v1.test.1", "t", "--topic=x"], "--topic=x is not an option; --help shows those that are"),
        (["v1.test.1", "t", "--no-answer=1"], "--no-answer=1 is not an option; --help shows those that are"),
        (["v1.test.1", "t", "--endpoint"], "--endpoint needs a value"),
        (["v1.test.1", "t", "--endpoint", "x:1"], "endpoint: 'x:1' is not an endpoint (want tcp://HOST:PORT)"),
        (["v1.test.1", "t", "--timeout-ms=soon"], "timeout_ms: 'soon' is not a time (want milliseconds, such as 2000)"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments: list[str], sentence: str) -> None:
    assert run(*arguments) == (2, "", f"push.php: {sentence}\n")


def test_no_publish_server_is_one_sentence_and_status_1() -> None:
    status, out, err = run("v1.test.1", "t", "--endpoint", "tcp://127.0.0.1:1", "--timeout-ms", "200")
    assert (status, out) == (1, "")
    nobody = "nobody answers at tcp://127.0.0.1:1 (is the publish server running there?): connection refused"
    assert err == f"push.php: not confirmed by tcp://127.0.0.1:1 within 200 ms: {nobody}\n"


def test_a_refusal_is_one_sentence_and_status_1() -> None:
    def refuse(server: RouterDouble, arrival: Arrival) -> None:
        reason = "topics[0]: 'v1' is not a topic"
        server.reply(
            arrival.peer, {"ok": False, "id": arrival.document["id"], "error": "invalid_push", "reason": reason}
        )

    with RouterDouble(refuse) as server:
        done = run("v1", "t", "--endpoint", server.endpoint)
        assert done == (1, "", "push.php: push refused (invalid_push): topics[0]: 'v1' is not a topic\n")
