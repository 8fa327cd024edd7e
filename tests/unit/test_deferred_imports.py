import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = {
    "heavy/__init__.py": "LOADED = []\nfrom heavy.things import Thing\n",
    "heavy/things.py": """
import heavy
heavy.LOADED.append(1)
class Thing:
    kind = "real"
    def __init__(self, x): self.x = x
""",
    "user.py": """
import heavy
import heavy.things as things
from heavy import Thing
made = Thing(3)
kind = things.Thing.kind
def annotated(x: Thing | None, y: 'int | heavy.Thing') -> None | things.Thing: ...
""",
}


@pytest.fixture
def run(tmp_path: Path):
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def in_a_process_of_its_own(code: str) -> str:
        environ = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
        ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    return in_a_process_of_its_own


BEGIN = """
import sys
from stork_crossbar.internals.deferred_imports import deferred
with deferred({"heavy"}):
    import user
"""


def test_nothing_of_a_deferred_package_is_loaded(run) -> None:
    assert run(BEGIN + "print([name for name in sys.modules if name.startswith('heavy')])") == "[]"


def test_a_stand_in_is_the_real_thing_when_it_is_used_after_the_block(run) -> None:
    assert run(BEGIN + "print(user.Thing(5).x, user.Thing(x=6).x, user.things.Thing.kind)") == "5 6 real"


def test_a_name_taken_from_a_stand_in_is_resolved_when_it_is_used(run) -> None:
    assert run(BEGIN + "print(user.made.x, user.kind.upper())") == "3 REAL"


def test_stand_ins_that_are_given_to_a_stand_in_are_real_there(run) -> None:
    assert run(BEGIN + "print(user.Thing(user.things.Thing).x.kind)") == "real"


def test_isinstance_knows_what_a_stand_in_stands_for(run) -> None:
    code = BEGIN + "import heavy\nprint(isinstance(heavy.Thing(1), user.Thing), isinstance(1, user.Thing))"
    assert run(code) == "True False"


def test_an_import_after_the_block_gets_the_package_itself(run) -> None:
    assert (
        run(BEGIN + "import heavy\nprint(heavy.LOADED, heavy.Thing(1).x, heavy.__file__ is not None)") == "[1] 1 True"
    )


def test_a_package_that_was_loaded_before_stays_as_it_is(run) -> None:
    code = "import heavy\n" + BEGIN + "print(user.Thing is heavy.Thing, sys.modules['heavy'] is heavy)"
    assert run(code) == "True True"


def test_a_missing_name_of_a_deferred_package_fails_when_it_is_used(run) -> None:
    code = BEGIN + "try: user.heavy.Missing()\nexcept AttributeError as error: print(error)"
    assert run(code) == "module 'heavy' has no attribute 'Missing'"


def test_an_error_in_the_block_leaves_imports_as_they_were(run) -> None:
    code = """
from stork_crossbar.internals.deferred_imports import deferred
try:
    with deferred({"heavy"}):
        import heavy
        raise ValueError
except ValueError: pass
import heavy
print(heavy.Thing.kind)
"""
    assert run(code) == "real"


def test_crossbar_loads_without_web3_and_keeps_the_recursion_limit(run) -> None:
    code = """
import sys
from autobahn.twisted.choosereactor import install_reactor
install_reactor(explicit_reactor=None)
from stork_crossbar.internals.deferred_imports import UNUSED, deferred
with deferred():
    import stork_crossbar.personality
    import crossbar.edge.worker.router
import crossbar.worker.main
print(sorted(UNUSED & sys.modules.keys()), sys.getrecursionlimit())
"""
    assert run(code) == "[] 1000"
