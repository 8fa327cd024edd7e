"""The patches of Crossbar, and the node's behaviour if Crossbar is not as expected."""

import subprocess
import sys

import pytest

# Importing the personality puts Crossbar's parts together for good, so that each test has a process of its own.
PREPARED = """
from autobahn.twisted.choosereactor import install_reactor
install_reactor(None, False, require_optimal_reactor=False)
import stork_crossbar.personality
from stork_crossbar.connections import connection_memory
from stork_crossbar.opening import websocket_fast_path, websockets
from stork_crossbar.personality import direct_guard, patches
from stork_crossbar.personality.patches import PATCHES, Patch, apply_patches
from twisted.logger import formatEvent, globalLogPublisher
said = []
globalLogPublisher.addObserver(lambda event: said.append(formatEvent(event)))
"""


def run(script):
    done = subprocess.run([sys.executable, "-c", PREPARED + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_are_taken_with_the_versions_that_are_locked():
    assert run("print(apply_patches(PATCHES), said)") == "[] []"


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
            "import crossbar.router.wildcard as m; m.WildcardTrieMatcher.iter_matches = lambda self: None",
            "each look-up of patterns leaves a cycle behind (<lambda> takes other parameters)",
        ),
        (
            "import autobahn.wamp.serializer as m; m._dumps = lambda obj: None",
            "each message makes a JSON encoder of its own (<lambda> takes other parameters)",
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
def test_a_patch_that_does_not_fit_is_left_out_and_the_others_are_applied(change, refusal):
    assert (
        run(f"{change}\nprint(apply_patches(PATCHES) == [{refusal!r}], said == [{_warning(refusal)!r}])") == "True True"
    )


def _warning(refusal):
    return f"Crossbar is not as it is known here; joins are slower: {refusal}"


def test_a_guard_that_is_not_to_be_called_directly_is_never_found():
    script = """
import crossbar.router.router as m
from stork_crossbar import registry
from stork_components.guard import Guard
guard = object.__new__(Guard)
guard._realm = "realm1"
registry.announce(guard)
print(direct_guard.guard_of("realm1") is None)
apply_patches(PATCHES)
print(direct_guard.guard_of("realm1") is guard, direct_guard.guard_of("realm2") is None)
"""
    assert run(script) == "True\nTrue True"


def test_values_go_to_the_log_as_they_are():
    script = """
import types, autobahn.util
module = types.ModuleType("talkative")
module.hlval = autobahn.util.hlval
patches.leave_values_plain([module])
print(module.hlval(17, color="red"), module.hlval("x"))
"""
    assert run(script) == "17 x"


def test_patterns_match_as_in_crossbar_and_leave_no_cycle_behind():
    script = """
import gc, itertools
from crossbar.router.wildcard import WildcardTrieMatcher
ordinary = WildcardTrieMatcher.iter_matches
patches.match_patterns_level_by_level()
matcher = WildcardTrieMatcher()
print(list(matcher.iter_matches("a.b.c")))
for parts in itertools.product(["a", "b", ""], repeat=3):
    matcher[".".join(parts)] = ".".join(parts)
matcher["a."] = "a."
keys = [".".join(parts) for size in (1, 2, 3, 4) for parts in itertools.product(["a", "b", "c", ""], repeat=size)]
print(all(list(matcher.iter_matches(key)) == list(ordinary(matcher, key)) for key in keys))
gc.collect()
for key in keys:
    list(matcher.iter_matches(key))
print(gc.collect())
"""
    assert run(script) == "[]\nTrue\n0"


def test_json_is_written_as_autobahn_writes_it():
    script = """
import decimal
import autobahn.wamp.serializer as m
ordinary = m._dumps
patches.keep_json_encoder()
values = [[1, b"hi"], {"a": decimal.Decimal("1.5"), 2: None}, "\\u00e4\\0", float("nan"), [], 1e16, {"k": [True]}]
print(m._dumps is not ordinary, all(m._dumps(value) == ordinary(value) for value in values))
print(m._dumps([b"hi"], use_binary_hex_encoding=True))
"""
    assert run(script) == 'True True\n["0x6869"]'


@pytest.mark.parametrize(
    ("change", "function"),
    [
        (
            "import twisted.web.server as m; m.Site.buildProtocol = lambda self: None",
            "websocket_fast_path.read_http_here",
        ),
        ("import twisted.web.server as m; m.Request.render = lambda self: None", "websocket_fast_path.read_http_here"),
        (
            "import crossbar.webservice.base as m; m.Resource404.render_GET = lambda self: None",
            "websocket_fast_path.read_http_here",
        ),
        (
            "import crossbar.router.protocol as m; m.set_websocket_options = lambda options: None",
            "websockets.check_handshakes",
        ),
        (
            "import autobahn.websocket.protocol as m; m._url_to_origin = lambda: None",
            "websockets.check_handshakes",
        ),
    ],
)
def test_bounds_on_http_and_origins_are_never_left_out(change, function):
    script = f"""
from stork_crossbar.compat import Incompatible
{change}
try:
    {function}()
except Incompatible as error:
    print(error)
"""
    assert run(script) == "<lambda> takes other parameters"
