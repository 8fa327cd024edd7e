"""Running PHP as a user's server does, and reading what it says."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60

# Everything that PHP could complain of goes to stderr, which must stay empty.
STRICT = ["-d", "error_reporting=-1", "-d", "display_errors=stderr", "-d", "zend.assertions=1", "-d", "html_errors=0"]
# -n: no php.ini, and so none of the extensions that a distribution adds.
PLAIN = ["php", "-n", *STRICT]
WITH_ZMQ = ["php", "-n", "-d", "extension=zmq", *STRICT]

PRELUDE = f"""<?php
require '{ROOT}/node/php/autoload.php';
use Stork\\{{Answer, InvalidPush, InvalidSettings, JsonMessage, Message, MissingExtension, NotConfirmed, Publisher,
    PushRefused, SimpleMessage, Stork, StorkException}};
function say(mixed $value): void {{ echo json_encode($value), "\\n"; flush(); }}
function hear(): string {{ return trim((string) fgets(STDIN)); }}
function attempt(callable $call): array
{{
    try {{
        return ['result' => $call()];
    }} catch (StorkException $error) {{
        $class = (new ReflectionClass($error))->getShortName();
        return ['thrown' => $class, 'message' => $error->getMessage()] + get_object_vars($error);
    }}
}}
$args = json_decode($argv[1] ?? '{{}}', true);
$options = $args['options'] ?? [];
"""


@cache
def has_zmq() -> bool:
    """Whether this machine's PHP has the extension zmq."""
    return "zmq" in subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()


def interpreter(transport: str) -> list[str]:
    """The command of a PHP that has just what the transport needs."""
    return WITH_ZMQ if transport == "ext-zmq" else PLAIN


@dataclass(frozen=True)
class Said:
    """The output of a PHP program's say(), in order."""

    values: list[Any]

    @property
    def only(self) -> Any:
        """The one value of a program that says one."""
        (value,) = self.values
        return value


class Php:
    """
    One running PHP program: `code` after the prelude, with `args` as `$args` and `args["options"]` as `$options`.

    Args:
        code: PHP without its opening tag; it prints lines of JSON with `say()` and reads lines with `hear()`.
        command: the interpreter with its flags.
        environment: added to an environment without any STORK_ variable.
    """

    def __init__(
        self,
        code: str,
        args: Mapping[str, Any] | None = None,
        *,
        command: list[str] = PLAIN,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STORK_")}
        with tempfile.NamedTemporaryFile("w", suffix=".php", delete=False) as file:
            file.write(PRELUDE + code)
        self._path = Path(file.name)
        self._process = subprocess.Popen(
            [*command, file.name, json.dumps(args or {})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | dict(environment or {}),
        )
        self._deadline = threading.Timer(DEADLINE_S, self._process.kill)
        self._deadline.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.cancel()
        self._process.kill()
        self._process.communicate()
        self._path.unlink()

    def tell(self, line: str = "") -> None:
        """Writes one line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """The next value that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"PHP ended: {self._process.communicate(timeout=DEADLINE_S)}")
        return json.loads(line)

    def finish(self) -> Said:
        """Waits for its end, which must be a clean one."""
        out, err = self._process.communicate(timeout=DEADLINE_S)
        assert (self._process.returncode, err) == (0, ""), (self._process.returncode, out, err)
        return Said([json.loads(line) for line in out.splitlines()])


def run_php(code: str, args: Mapping[str, Any] | None = None, **how: Any) -> Said:
    """Runs a program to its end; see Php."""
    with Php(code, args, **how) as php:
        return php.finish()
