import json
import shutil

import pytest

from stork_crossbar.processes.config_check import explain_old_names
from stork_node.config import configuration
from stork_node.config.old_components import OLD, SENTENCE, is_application, problems
from tests.gateway import ROOT

SHIPPED = ROOT / ".crossbar"


@pytest.fixture
def old(tmp_path):
    """The shipped configuration with the four components of the release before."""
    folder = shutil.copytree(SHIPPED, tmp_path / "crossbar", ignore=shutil.ignore_patterns("__pycache__"))
    config = json.loads((folder / "config.json").read_text())
    (application,) = config["workers"][1]["components"]
    config["workers"][1]["components"] = [{**application, "classname": name} for name in sorted(OLD)]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_shipped_configuration_has_one_component_for_the_application():
    assert explain_old_names(SHIPPED) == []
    (application,) = configuration.read_file(SHIPPED)["workers"][1]["components"]
    assert is_application(application)


def test_the_proposed_lines_for_old_components_are_the_shipped_ones(old):
    (explanation,) = explain_old_names(old)
    sentence, _, lines = explanation.partition("\n")
    places = ", ".join(f"workers[1].components[{c}]" for c in range(4))
    assert sentence == f"{SENTENCE}. In place of {places}:"
    assert json.loads(lines) == configuration.read_file(SHIPPED)["workers"][1]["components"][0]


def test_the_application_beside_a_part_of_it_is_a_problem(old):
    config = json.loads((old / "config.json").read_text())
    config["workers"][1]["components"] += configuration.read_file(SHIPPED)["workers"][1]["components"]
    (old / "config.json").write_text(json.dumps(config))
    (problem,) = problems(configuration.load(old, {}).crossbar["workers"])
    assert str(problem) == (
        "workers[1].components: stork_components.auth.Auth is a part of "
        "stork_components.application.Application (want only the latter)"
    )
