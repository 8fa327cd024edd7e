"""Calls from other threads to the reactor's."""

from stork_crossbar.internals.from_threads import FromThreads


class Reactor:
    def __init__(self):
        self.calls = []

    def callFromThread(self, function):  # noqa: N802 - Twisted's spelling
        self.calls.append(function)


def test_calls_from_threads_wake_the_reactor_once_and_keep_their_order():
    reactor, made = Reactor(), []
    from_threads = FromThreads(reactor)
    for number in range(3):
        from_threads.call(lambda number=number: made.append(number))
    [run] = reactor.calls
    assert made == []
    run()
    assert made == [0, 1, 2]


def test_a_call_that_is_asked_for_by_another_is_made_in_the_next_turn():
    reactor, made = Reactor(), []
    from_threads = FromThreads(reactor)
    from_threads.call(lambda: from_threads.call(lambda: made.append("second")))
    reactor.calls.pop()()
    assert made == []
    reactor.calls.pop()()
    assert made == ["second"]
