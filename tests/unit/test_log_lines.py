import io
import json
import logging
import sys
from datetime import UTC, datetime

import pytest

from stork_node.errors import ConfigError
from stork_node.log_lines import Formatter, LogSettings, Printer, Throttle


def test_a_kind_of_line_passes_so_often_and_then_says_how_many_were_left_out():
    throttle = Throttle(burst=2, period_s=10.0)
    assert [throttle.admit("a", now) for now in (0.0, 1.0, 2.0, 3.0)] == [(True, 0), (True, 0), (False, 0), (False, 0)]
    assert throttle.admit("b", 3.0) == (True, 0)
    assert throttle.admit("a", 10.0) == (True, 2)
    assert throttle.admit("a", 20.0) == (True, 0)


def printed(*records, now=0.0, settings=LogSettings()):  # noqa: B008  # frozen
    out = io.StringIO()
    printer = Printer("router", settings, out, clock=lambda: now)
    for level, text, namespace in records:
        printer.emit(level, text, namespace=namespace, fields={"topic": "v1.a.b"})
    if settings.format == "json":
        return [json.loads(line) for line in out.getvalue().splitlines()]
    return [line.split(" ", 1)[1] for line in out.getvalue().splitlines()]


def test_ours_pass_at_info_and_crossbars_from_warn_on():
    assert printed(
        ("info", "ours", "stork_components.guard"),
        ("info", "an application's", "app.orders"),
        ("info", "a print", "stdout"),
        ("info", "theirs", "crossbar.router"),
        ("warn", "theirs", "crossbar.router"),
        ("info", "theirs, in a class of ours", "stork_node.personality.workers"),
    ) == ["info  router  ours", "info  router  an application's", "info  router  a print", "warn  router  theirs"]


def test_nobody_fills_the_log_with_tracebacks():
    lines = printed(*[("critical", "Traceback\n" + "x" * 100_000, "autobahn.wamp.websocket")] * 1000)
    assert len(lines) <= 10
    assert max(map(len, lines)) < 5_000


def test_a_signature_is_not_printed():
    text = "WAMP-CRA client signature is invalid (expected abc= but got def=)"
    assert printed(("warn", text, "crossbar.router.auth.wampcra")) == [
        "warn  router  WAMP-CRA client signature is invalid"
    ]


def test_colours_of_crossbars_are_left_out():
    text = "\x1b[33m<\x1b[1mcrossbar\x1b[0m.worker>: {{gone}}"
    assert printed(("error", text, "crossbar.worker")) == ["error router  <crossbar.worker>: {gone}"]


def test_json_is_one_object_a_line_with_the_data_of_our_lines():
    [line, _] = printed(
        ("warn", "refused {}\nso", "stork_components.relay"), ("warn", "x", "crossbar.x"), settings=LogSettings("json")
    )
    assert datetime.fromisoformat(line.pop("time")).tzinfo == UTC
    assert line == {
        "level": "warn",
        "process": "router",
        "logger": "stork_components.relay",
        "message": "refused {}\nso",
        "fields": {"topic": "v1.a.b"},
    }


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", ["debug", "info", "warn", "error"]), ("info", ["info", "warn", "error"]), ("error", ["error"])],
)
def test_the_least_level_is_a_setting(level, shown):
    records = [(each, "x", "stork_components.guard") for each in ("debug", "info", "warn", "error")]
    assert [line["level"] for line in printed(*records, settings=LogSettings("json", level))] == shown


def test_ours_are_not_printed_twice():
    out = io.StringIO()
    printer = Printer("router", LogSettings(), out)
    printer.emit("warn", "as Crossbar writes it", namespace="stork_components.guard")
    assert out.getvalue() == ""


def test_the_last_words_of_a_process_are_kept():
    printer = Printer("app", LogSettings(), io.StringIO())
    for level in ("critical", "info"):
        printer.emit(level, level, namespace="stork_components.component", fields={})
    assert printer.last_words == "critical"


def test_the_standard_librarys_records_look_the_same():
    try:
        raise ValueError("so")
    except ValueError:
        record = logging.LogRecord("stork_node.x", logging.WARNING, "x.py", 1, "%s lost", (3,), sys.exc_info())
    line = json.loads(Formatter("publish", LogSettings("json")).format(record))
    assert (line["level"], line["process"], line["logger"], line["fields"]) == ("warn", "publish", "stork_node.x", {})
    assert line["message"].startswith("3 lost\nTraceback")
    text = Formatter("publish", LogSettings()).format(record)
    assert text.split(" ", 1)[1].startswith("warn  publish 3 lost\nTraceback")


def test_settings_come_from_two_variables():
    assert (
        LogSettings.read({})
        == LogSettings.read({"STORK_LOG": "", "STORK_LOG_LEVEL": ""})
        == LogSettings("text", "info")
    )
    assert LogSettings.read({"STORK_LOG": "json", "STORK_LOG_LEVEL": "debug"}) == LogSettings("json", "debug")
    with pytest.raises(ConfigError) as wrong:
        LogSettings.read({"STORK_LOG": "xml", "STORK_LOG_LEVEL": "loud"})
    assert str(wrong.value) == (
        "STORK_LOG: 'xml' is none of text, json\nSTORK_LOG_LEVEL: 'loud' is none of debug, info, warn, error, critical"
    )
