"""
Gives Twisted's reactor a clock that does not follow steps of the wall clock.

Stock Twisted schedules by ``time.time``: if the clock is set back by ten minutes, no timer fires for ten minutes. All
other timers depend on the reactor: ``callLater``, ``LoopingCall``, txaio's batched timers, autobahn's pings, Crossbar's
time-outs.
"""

import sys
from typing import Any

from stork_node.clock import LONGEST_TURN_S, AwakeTime, SteadyWall

_PULSE_S = LONGEST_TURN_S / 6


def install_steady_time(reactor: Any) -> bool:
    """
    Make ``reactor`` count the seconds in which this process ran, starting at the current date; call it before it runs.

    Returns:
        Whether it worked. If not, standard error says so, and the reactor follows the wall clock.
    """
    ordinary = reactor.seconds
    # Twisted writes dates from this clock, so it begins with the wall clock's time.
    reactor.seconds = AwakeTime(SteadyWall())
    if not _follows(reactor):
        reactor.seconds = ordinary
        print("Twisted is not as it is known here; timers follow the wall clock, and its steps", file=sys.stderr)
        return False
    _pulse(reactor)
    return True


def _pulse(reactor: Any) -> None:
    """Read the clock often enough, so that a long wait without timers does not look like a standstill."""
    reactor.callLater(_PULSE_S, _pulse, reactor)


def _follows(reactor: Any) -> bool:
    """Whether the reactor's timers follow the new ``seconds``."""
    try:
        before = reactor.seconds()
        call = reactor.callLater(1000.0, _nothing)
        due, wait_s = call.getTime(), reactor.timeout()
        call.cancel()
    except AttributeError:
        return False
    after = reactor.seconds()
    return bool(before + 1000.0 <= due <= after + 1000.0 and call.seconds is reactor.seconds and wait_s is not None)


def _nothing() -> None:
    """Is never called."""
