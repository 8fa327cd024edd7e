"""bjdata's extension, which may be built for another NumPy, is not loaded."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_process_of_the_node_does_not_load_bjdatas_extension(tmp_path: Path) -> None:
    (tmp_path / "_bjdata.py").write_text("print('A module that was compiled using NumPy 1.x cannot be run')\n1 / 0\n")
    code = (
        "import stork_crossbar, autobahn.wamp.serializer as s; print(s.UBJSONObjectSerializer.UBJSON_MODULE.__name__)"
    )
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("bjdata\n", "")
