"""
Gives Twisted's reactor a time that no step of the wall clock changes.

Stock Twisted schedules by ``time.time``: set that back by ten minutes, and no timer fires for ten minutes. Everything
else asks the reactor: ``callLater``, ``LoopingCall``, txaio's batched timers, autobahn's pings, Crossbar's time-outs.
"""

import sys
from typing import Any

from stork_node.clock import LONGEST_TURN_S, AwakeTime, SteadyWall

_PULSE_S = LONGEST_TURN_S / 6


def install_steady_time(reactor: Any) -> bool:
    """
    Have ``reactor`` count the seconds in which this process was awake, from the date of now; call it before it runs.

    Returns:
        Whether it took. If not, standard error says so, and the reactor goes by the wall clock as before.
    """
    ordinary = reactor.seconds
    # Twisted writes dates from it: it begins with the wall clock's.
    reactor.seconds = AwakeTime(SteadyWall())
    if not _follows(reactor):
        reactor.seconds = ordinary
        print("Twisted is not as it is known here; timers follow the wall clock, and its steps", file=sys.stderr)
        return False
    _pulse(reactor)
    return True


def _pulse(reactor: Any) -> None:
    """Look at the clock so often that a long wait without timers is not taken for a standstill."""
    reactor.callLater(_PULSE_S, _pulse, reactor)


def _follows(reactor: Any) -> bool:
    """Whether the reactor's timers go by the ``seconds`` that were just set."""
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
