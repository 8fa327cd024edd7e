from twisted.internet.task import Clock


class TurnClock(Clock):
    """A clock that knows turns of the reactor: what a turn puts off by no time comes in the next one."""

    def turn(self, time_s: float = 0.0) -> None:
        self.rightNow += time_s
        for call in [call for call in self.getDelayedCalls() if call.getTime() <= self.rightNow]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
