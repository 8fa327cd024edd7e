import io

from stork_node.log_lines import Printer, Throttle


def test_a_kind_of_line_passes_so_often_and_then_says_how_many_were_left_out():
    throttle = Throttle(burst=2, period_s=10.0)
    assert [throttle.admit("a", now) for now in (0.0, 1.0, 2.0, 3.0)] == [(True, 0), (True, 0), (False, 0), (False, 0)]
    assert throttle.admit("b", 3.0) == (True, 0)
    assert throttle.admit("a", 10.0) == (True, 2)
    assert throttle.admit("a", 20.0) == (True, 0)


def printed(*records, now=0.0):
    out = io.StringIO()
    printer = Printer("router", out, clock=lambda: now)
    for level, text, namespace in records:
        printer.emit(level, text, cb_namespace=namespace)
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
