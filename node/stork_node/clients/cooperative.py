"""
Waiting on a ZMQ socket, also where gevent or eventlet has patched the process: libzmq's own waiting would stop all of
its green threads.
"""

import select
import time
import types

import zmq


def is_patched() -> bool:
    """Whether ``select`` has been replaced: gevent and eventlet put a function of their own in its place."""
    return not isinstance(select.select, types.BuiltinFunctionType)


def receive(socket: "zmq.Socket[bytes]", timeout_s: float) -> bytes | None:
    """One message; None if none comes within ``timeout_s``."""
    if not is_patched():
        socket.rcvtimeo = max(0, int(timeout_s * 1000) + 1)
        try:
            return socket.recv()
        except zmq.Again:
            return None
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            return socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            if not _wait(socket, give_up_at):
                return None


def send(socket: "zmq.Socket[bytes]", frame: bytes, timeout_s: float) -> bool:
    """Whether the socket has taken the message within ``timeout_s``."""
    if not is_patched():
        socket.sndtimeo = int(timeout_s * 1000)
        try:
            socket.send(frame)
        except zmq.Again:
            return False
        return True
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            if not _wait(socket, give_up_at):
                return False
        else:
            return True


def _wait(socket: "zmq.Socket[bytes]", give_up_at: float) -> bool:
    """Wait for the next change of the socket; False if it is too late for one."""
    remaining_s = give_up_at - time.monotonic()
    if remaining_s <= 0:
        return False
    # The descriptor is readable after each change, for writing too (zmq_getsockopt(3), ZMQ_FD). The call before, which
    # found nothing, has taken all earlier changes.
    select.select([socket.fileno()], [], [], remaining_s)
    return True
