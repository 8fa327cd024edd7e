"""The PHP client against the project's own publish server, and the examples of its README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from php_process import DEADLINE_S, PLAIN, ROOT, Php, interpreter, run_php
from raw_server import free_port
from router_double import RouterDouble


@contextmanager
def publish_server(router: int, secret: str | None) -> Iterator[subprocess.Popen[bytes]]:
    """`stork publish-server` in a process of its own, answering on this port."""
    flags = [f"--{name}=tcp://127.0.0.1:{free_port()}" for name in ("pull", "pub", "replay")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STORK_")}
    data = tempfile.TemporaryDirectory()
    flags += [f"--router=tcp://127.0.0.1:{router}", f"--data={data.name}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stork_node", "publish-server", *flags],
        env=environment | ({} if secret is None else {"STORK_BUS_SECRET": secret}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        data.cleanup()


@pytest.mark.parametrize("secret", [None, "s3cret é"])
def test_the_publish_server_takes_refuses_and_remembers_what_php_pushes(transport: str, secret: str | None) -> None:
    code = """
    $publisher = new Publisher($options);
    $push = fn (...$arguments) => $publisher->push(...$arguments);
    say($publisher->position());
    say($push('v1.test.1', new SimpleMessage('t', ['price' => 0.1])));
    $many = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', $i), ['id' => "n$i"]], range(1, 2000));
    say(array_map('strval', $publisher->pushMany($many)));
    say($publisher->pushMany([$many[0]])[0]->duplicate);
    say(attempt(fn () => $push('v1.test', new SimpleMessage('t'))));
    say(attempt(fn () => $push('v1.test.1', new SimpleMessage('t', "\\0binary"))));
    $publisher->send('v1.test.1', new SimpleMessage('t', str_repeat('x', 900_000)));
    $options = ['store' => false, 'exclude' => [1], 'timestamp' => new DateTime()];
    say($push('v1.test.1', new SimpleMessage('t'), $options));
    """
    router = free_port()
    with publish_server(router, secret):
        options = {"endpoint": f"tcp://127.0.0.1:{router}", "transport": transport, "timeout_ms": 30_000}
        said = run_php(code, {"options": {**options, "secret": secret}}, command=interpreter(transport)).values
    first, one, many, duplicate, no_topic, binary, last = said
    epoch = first.removesuffix(":0")
    assert one == f"{epoch}:1"
    assert many == [f"{epoch}:{n}" for n in range(2, 2002)]
    assert duplicate is True
    assert (no_topic["thrown"], no_topic["error"]) == ("PushRefused", "invalid_push")
    assert (binary["thrown"], binary["error"]) == ("PushRefused", "invalid_push")
    assert last == f"{epoch}:2003"


def test_a_worker_goes_on_after_the_publish_server_was_killed(transport: str) -> None:
    code = """
    $publisher = new Publisher($options);
    for ($i = 0; $i < 2; $i++) { say($publisher->push('v1.test.1', new SimpleMessage('t'))); hear(); }
    """
    router = free_port()
    options = {"endpoint": f"tcp://127.0.0.1:{router}", "transport": transport, "timeout_ms": 30_000}
    with Php(code, {"options": options}, command=interpreter(transport)) as php:
        with publish_server(router, None):
            before = php.hear()
        with publish_server(router, None):
            php.tell()
            after = php.hear()
            php.tell()
            php.finish()
    assert before != after


EXAMPLES = re.findall(r"```php\n(.*?)```", (ROOT / "node/php/README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["class", "publisher", "errors"])
def test_the_examples_of_the_readme_run(tmp_path: Path, server: RouterDouble, example: str) -> None:
    code = f"<?php\nrequire '{ROOT}/node/php/autoload.php';\n" + example.replace(
        "tcp://127.0.0.1:5557", server.endpoint
    )
    if "5557" not in example:
        code = code.replace("$message =", f"Stork::configure(['endpoint' => '{server.endpoint}']);\n$message =")
    (tmp_path / "example.php").write_text(code)
    command = [*PLAIN, str(tmp_path / "example.php")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert server.positions
