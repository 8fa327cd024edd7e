"""The tables of the book's page on settings, beside the settings classes and the environment that the code reads."""

import json
import re
import subprocess
import sys

import pytest

from tests.book import DOCS, ROOT, tables

PAGE = DOCS / "settings.md"
TABLES = [
    each for page in (PAGE, DOCS / "webhooks.md") for each in tables(page, "setting", "default", "unit", "meaning")
]
# In the order of the pages.
CLASSES = [
    "stork_components.guard.GuardSettings",
    "stork_node.config.limits.ClientLimits",
    "stork_components.relay.RelaySettings",
    "stork_components.operator_port.OperatorPortSettings",
    "stork_node.config.drain.DrainSettings",
    "stork_node.api.settings.ApiSettings",
    "stork_node.api.settings.ApiLimits",
    "stork_node.pusher.settings.PusherSettings",
    "stork_node.pusher.settings.PusherLimits",
    "stork_components.pages.page_settings.PageSettings",
    "stork_components.application.ApplicationSettings",
    "stork_node.tokens.settings.JwtSettings",
    "stork_node.access.settings.HttpSettings",
    "stork_node.publish_server.settings.PublishServerSettings",
    "stork_node.webhooks.settings.WebhookSettings",
]
# Gets the defaults of the page as JSON values, by class and setting; prints those that are not the code's. Components
# are imported in a process of its own, as they install a reactor.
COMPARE = """
import dataclasses, importlib, json, sys
wrong = []
for name, said in json.load(sys.stdin).items():
    module, _, settings_class = name.rpartition(".")
    settings = getattr(importlib.import_module(module), settings_class)
    fields = {field.name: field for field in dataclasses.fields(settings)}
    wrong += [f"{name}.{setting} is on one side only" for setting in sorted(fields.keys() ^ said.keys())]
    for setting in fields.keys() & said.keys():
        field = fields[setting]
        default = field.default_factory() if field.default is dataclasses.MISSING else field.default
        if field.metadata["parse"](said[setting]) != default:
            wrong.append(f"{name}.{setting} is {default!r}, and the page says {said[setting]!r}")
print(json.dumps(wrong))
"""
_ENVIRONMENT = re.compile(r"\b(?:STORK|CROSSBAR|(?:PUSHER|REVERB)_APP)_[A-Z_]+\b")
# Crossbar's own, which the code only looks at or sets.
_CROSSBARS = {"CROSSBAR_REACTOR", "CROSSBAR_RICH_LOGGING_ENABLE"}


def test_every_setting_of_the_code_is_on_the_page_with_its_default():
    said = {
        settings_class: {row["setting"].strip("`"): json.loads(row["default"].strip("`")) for row in rows}
        for settings_class, rows in zip(CLASSES, TABLES, strict=True)
    }
    done = subprocess.run([sys.executable, "-c", COMPARE], input=json.dumps(said), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("rows", TABLES, ids=CLASSES)
def test_a_number_has_a_unit_that_its_name_does_not_contradict(rows):
    for row in rows:
        name = row["setting"].strip("`")
        assert bool(row["unit"]) == row["default"].strip("`").isdigit(), name
        assert row["unit"] == "s" or not name.endswith("_s"), name
        assert row["unit"] == "bytes" or not name.endswith("_bytes"), name


def test_every_environment_variable_of_the_code_has_a_row():
    [rows] = tables(PAGE, "variable", "default", "meaning")
    files = [*(ROOT / "node").rglob("*.py"), *(ROOT / "components").rglob("*.py")]
    files += [ROOT / ".crossbar/config.json", ROOT / ".crossbar/app.py", ROOT / "Dockerfile"]
    used = {name for file in files for name in _ENVIRONMENT.findall(file.read_text())}
    assert {row["variable"].strip("`") for row in rows} == used - _CROSSBARS


def test_the_page_on_security_names_the_setting_of_each_limit():
    [rows] = tables(DOCS / "security.md", "what", "at most", "above it", "setting")
    named = {name for row in rows for name in re.findall(r"`limits\.(\w+)`", row["setting"])}
    assert named == {row["setting"].strip("`") for row in TABLES[1]}
