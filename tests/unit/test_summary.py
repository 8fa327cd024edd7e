"""What is told of an application to somebody who starts with it."""

import sys
import textwrap

import pytest

from stork_node.application import loading
from stork_node.application.summary import Summary

OWN = """
    # No STORK_TICKET here.
    from stork_node import Stork
    stork = Stork()
    stork.feed("v2", "orders")
    stork.feed("v1", "mail")
    stork.rpc("io.example.open", allow=True)(lambda call: None)
    stork.rpc("io.example.some", allow=lambda session: True)(lambda call: None)
    stork.rpc("io.example.closed")(lambda call: None)
"""


@pytest.fixture
def summary_of(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "app", raising=False)
    before = set(sys.modules)

    def summary_of(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return Summary.of(loading.load("app:stork", tmp_path), tmp_path)

    yield summary_of
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_it_has_the_feeds_and_what_clients_may_call(summary_of):
    summary = summary_of(app=OWN)
    assert summary == Summary(("v2.orders", "v1.mail"), ("io.example.open", "io.example.some"), False)
    assert Summary.parse(summary.as_json()) == summary


def test_the_shared_ticket_is_found_in_any_module(summary_of):
    app = OWN + "    import tickets\n"
    assert summary_of(app=app, tickets='NAME = "STORK_TICKET"\n').takes_shared_ticket
