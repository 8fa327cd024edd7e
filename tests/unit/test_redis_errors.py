"""What the errors of a Redis mean."""

import pytest
import redis.exceptions as raised

from stork_node.engines.redis.errors import EngineAway, EngineFull, explain

_IN_6_2 = "Error running script (call to f_119c7da1): @user_script:172: @user_script: 172: -"


@pytest.mark.parametrize("before", ["", _IN_6_2, _IN_6_2.removesuffix("-")])
@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("OOM command not allowed", EngineFull, "Redis at h:1 has no memory left (maxmemory)"),
        ("STORK-BEHIND 7", EngineFull, "Redis at h:1 has 7 entries that no replica has confirmed"),
        ("WRONGTYPE Operation", EngineAway, "Redis at h:1 has a key that is not ours: choose another ?prefix="),
        ("LOADING Redis is loading", EngineAway, "Redis at h:1 is loading its data"),
        ("anything else", EngineAway, "Redis at h:1 refuses: anything else"),
    ],
)
def test_an_error_is_a_sentence_in_a_script_too(before, text, kind, sentence):
    found = explain("Redis at h:1", raised.ResponseError(before + text), is_sent=True)
    assert isinstance(found, kind)
    assert str(found) == sentence
