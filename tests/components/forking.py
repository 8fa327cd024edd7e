"""
Scripts with a process each, that begin with imports which take seconds: they are forked from one that has them.

    python -m tests.components.forking PREPARED

runs ``PREPARED``, and then the scripts that it reads, one at a time.
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import IO, Any


class Forker:
    """Runs scripts in processes that have run ``prepared`` already."""

    def __init__(self, prepared: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, prepared], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, script: str) -> "subprocess.CompletedProcess[str]":
        """As ``subprocess.run`` with ``capture_output``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(script), file=self._process.stdin, flush=True)
        return subprocess.CompletedProcess("script", **json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


def main(prepared: str) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(prepared, names)
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            child = os.fork()
            if child == 0:
                _become(json.loads(line), names, out, errors)
            _, status = os.waitpid(child, 0)
            ended = {"returncode": os.waitstatus_to_exitcode(status), "stdout": _read(out), "stderr": _read(errors)}
        print(json.dumps(ended), flush=True)


def _become(script: str, names: dict[str, Any], out: IO[str], errors: IO[str]) -> None:
    """End this process as one that has run the script does."""
    os.dup2(out.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        exec(script, names)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


if __name__ == "__main__":
    main(sys.argv[1])
