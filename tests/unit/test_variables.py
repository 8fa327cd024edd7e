"""Variables of the environment that look like one of this project, and have no effect."""

import json
import re

import pytest

from stork_node.config.variables import unknown_variables
from tests.gateway import ROOT

SHIPPED = ROOT / ".crossbar"


def test_the_variables_of_the_shipped_configuration_are_known():
    names = set(re.findall(r"STORK_[A-Z_]+", (ROOT / "node/docs/settings.md").read_text()))
    assert len(names) >= 17
    assert unknown_variables(SHIPPED, dict.fromkeys(names, "1")) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("STORK_PROT", "STORK_PROT has no effect: nothing reads it (did you mean STORK_PORT?)"),
        ("STORK_ORIGIN", "STORK_ORIGIN has no effect: nothing reads it (did you mean STORK_ORIGINS?)"),
        ("STORK_XYZZY_PLUGH", "STORK_XYZZY_PLUGH has no effect: nothing reads it"),
    ],
)
def test_others_are_named_with_the_nearest_one(name, sentence):
    assert unknown_variables(SHIPPED, {name: "1", "HOME": "/", "MY_STORK": "1"}) == [sentence]


def test_a_variable_that_a_configuration_does_not_name_has_no_effect(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"version": 2, "workers": [{"x": ["${STORK_OF_MINE:-1}"]}]}))
    assert unknown_variables(tmp_path, {"STORK_OF_MINE": "1", "STORK_ORIGINS": "*", "STORK_BIND": "::"}) == [
        "STORK_ORIGINS has no effect: config.json does not name it (the shipped one does)"
    ]
