"""What of Crossbar's is left out, and what happens where Crossbar is not as it is known."""

import subprocess
import sys

import pytest

# Importing the personality puts Crossbar's parts together for good, so that each test has a process of its own.
PREPARED = """
from autobahn.twisted.choosereactor import install_reactor
install_reactor(None, False, require_optimal_reactor=False)
import stork_node.personality
from stork_node.personality import guarding, shortcuts, slimming
from stork_node.personality.shortcuts import SHORTCUTS, Shortcut, take_all
from twisted.logger import formatEvent, globalLogPublisher
said = []
globalLogPublisher.addObserver(lambda event: said.append(formatEvent(event)))
"""


def run(script):
    done = subprocess.run([sys.executable, "-c", PREPARED + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_are_taken_with_the_versions_that_are_locked():
    assert run("print(take_all(SHORTCUTS), said)") == "[] []"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (
            "import crossbar.router.router as m; del m.hlid, m.hltype, m.hlval, m.pformat",
            "log lines that nobody reads are made (crossbar.router.router dresses its log in another way)",
        ),
        (
            "import crossbar.router.service as m; m.RouterServiceAgent.publish = lambda self, topic: None",
            "meta events are published to nobody (<lambda> takes other parameters)",
        ),
        (
            "import autobahn.wamp.serializer as m; del m._loads",
            "JSON is read in Python (module 'autobahn.wamp.serializer' has no attribute '_loads')",
        ),
        (
            "import crossbar.router.router as m; m.Router.authorize = lambda self, session: None",
            "the guard is called by WAMP (<lambda> takes other parameters)",
        ),
        (
            "import crossbar.router.protocol as m; m.WampWebSocketServerProtocol.CONFIG_ATTRS = []",
            "what is the same on every connection is kept on each (autobahn's options are kept in another way)",
        ),
    ],
)
def test_one_that_does_not_find_what_it_knows_is_not_taken_and_the_others_are(change, refusal):
    assert run(f"{change}\nprint(take_all(SHORTCUTS) == [{refusal!r}], said == [{_warning(refusal)!r}])") == "True True"


def _warning(refusal):
    return f"Crossbar is not as it is known here; joins are slower: {refusal}"


def test_a_guard_that_is_not_to_be_called_directly_is_never_found():
    script = """
import crossbar.router.router as m
from stork_components import running
from stork_components.guard import Guard
guard = object.__new__(Guard)
guard._realm = "realm1"
running.announce(guard)
print(guarding.guard_of("realm1") is None)
take_all(SHORTCUTS)
print(guarding.guard_of("realm1") is guard, guarding.guard_of("realm2") is None)
"""
    assert run(script) == "True\nTrue True"


def test_values_go_to_the_log_as_they_are():
    script = """
import types, autobahn.util
module = types.ModuleType("talkative")
module.hlval = autobahn.util.hlval
shortcuts.leave_values_plain([module])
print(module.hlval(17, color="red"), module.hlval("x"))
"""
    assert run(script) == "17 x"
