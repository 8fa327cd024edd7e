import json
from datetime import UTC, datetime

import pytest

from stork_node.errors import ConfigError
from stork_node.logs.log_lines import LogSettings, Printer
from stork_node.logs.log_text import MAX_LINE_BYTES


class Kept:
    """A writer that keeps what it is given, as it would be written."""

    def __init__(self, settings):
        self.lines, self._render = [], settings.renders("router")

    def write(self, level, text, logger, fields=None):
        self.lines.append(self._render(level, text, logger, fields or {}))


def printed(*records, settings=LogSettings()):  # noqa: B008  # frozen
    kept = Kept(settings)
    printer = Printer(settings, kept)
    for level, text, namespace in records:
        printer.emit(level, text, namespace=namespace, fields={"topic": "v1.a.b"})
    assert all(line.endswith("\n") for line in kept.lines)
    if settings.format == "json":
        return [json.loads(line) for line in kept.lines]
    return [line.rstrip("\n").split(" ", 1)[1] for line in kept.lines]


def test_ours_pass_at_info_and_crossbars_from_warn_on():
    assert printed(
        ("info", "ours", "stork_components.guard"),
        ("info", "an application's", "app.orders"),
        ("info", "a print", "stdout"),
        ("debug", "theirs", "crossbar.router"),
        ("warn", "theirs", "crossbar.router"),
        ("debug", "theirs, in a class of ours", "stork_crossbar.personality.workers"),
    ) == ["info  router  ours", "info  router  an application's", "info  router  a print", "warn  router  theirs"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("piece", ["x", '"', "\\", "\n", "\x1b", "\u202e", "\ud800", "😀", "\xff"])
def test_no_line_is_longer_than_2_kib_whatever_it_says(form, piece):
    settings = LogSettings(form)
    fields = {piece * 1_000: piece * 100_000, **{f"{piece}{n}": piece * 1_000 for n in range(1_000)}}
    line = settings.renders("router")("info", piece * 1_000_000, piece * 1_000, fields)
    assert len(line.encode()) <= MAX_LINE_BYTES
    assert line[:-1].isprintable()
    assert line.count("\n") == 1


def test_a_signature_is_not_printed():
    text = "WAMP-CRA client signature is invalid (expected abc= but got def=)"
    assert printed(("warn", text, "crossbar.router.auth.wampcra")) == [
        "warn  router  WAMP-CRA client signature is invalid"
    ]


def test_colours_of_crossbars_are_left_out():
    text = "\x1b[33m<\x1b[1mcrossbar\x1b[0m.worker>: {gone}"
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
        "message": "refused {} | so",
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
    kept = Kept(LogSettings())
    Printer(LogSettings(), kept).emit("warn", "as Crossbar writes it", namespace="stork_components.guard")
    assert kept.lines == []


def test_the_last_words_of_a_process_are_kept():
    printer = Printer(LogSettings(), Kept(LogSettings()))
    for level in ("critical", "info"):
        printer.emit(level, level, namespace="stork_crossbar.component", fields={})
    assert printer.last_words == "critical"


@pytest.mark.parametrize("level", ["loud", 17, None])
def test_a_record_that_an_application_made_up_harms_nobody(level):
    kept = Kept(LogSettings())
    Printer(LogSettings(), kept).emit(level, ["no", "text"], namespace={"no": "name"}, fields="none")
    assert len(kept.lines) == 1


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
