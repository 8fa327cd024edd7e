"""The patches of Crossbar, and the node's behaviour if Crossbar is not as expected."""

import pytest


def test_all_are_taken_with_the_versions_that_are_locked(run_script):
    assert run_script("print(apply_patches(PATCHES), said)") == "[] []"


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
def test_a_patch_that_does_not_fit_is_left_out_and_the_others_are_applied(run_script, change, refusal):
    assert (
        run_script(f"{change}\nprint(apply_patches(PATCHES) == [{refusal!r}], said == [{_warning(refusal)!r}])")
        == "True True"
    )


def _warning(refusal):
    return f"Crossbar is not as it is known here; joins are slower: {refusal}"


def test_a_guard_that_is_not_to_be_called_directly_is_never_found(run_script):
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
    assert run_script(script) == "True\nTrue True"


def test_values_go_to_the_log_as_they_are(run_script):
    script = """
import types, autobahn.util
module = types.ModuleType("talkative")
module.hlval = autobahn.util.hlval
patches.leave_values_plain([module])
print(module.hlval(17, color="red"), module.hlval("x"))
"""
    assert run_script(script) == "17 x"


def test_patterns_match_as_in_crossbar_and_leave_no_cycle_behind(run_script):
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
    assert run_script(script) == "[]\nTrue\n0"


def test_json_is_written_as_autobahn_writes_it(run_script):
    script = """
import decimal
import autobahn.wamp.serializer as m
ordinary = m._dumps
patches.keep_json_encoder()
values = [[1, b"hi"], {"a": decimal.Decimal("1.5"), 2: None}, "\\u00e4\\0", float("nan"), [], 1e16, {"k": [True]}]
print(m._dumps is not ordinary, all(m._dumps(value) == ordinary(value) for value in values))
print(m._dumps([b"hi"], use_binary_hex_encoding=True))
"""
    assert run_script(script) == 'True True\n["0x6869"]'


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
def test_bounds_on_http_and_origins_are_never_left_out(run_script, change, function):
    script = f"""
from stork_crossbar.compat import Incompatible
{change}
try:
    {function}()
except Incompatible as error:
    print(error)
"""
    assert run_script(script) == "<lambda> takes other parameters"
