"""
A socket of a client whose server resets the connection while 5,000 messages wait. It has its own process, as libzmq may
end it: ``python -m tests.components.reset_with_full_queue SUB``.
"""

import socket
import struct
import sys
import time

import zmq

from stork_node.transport.sockets import prepare_socket
from tests.components.zmtp import accept, frame

MESSAGES = 5_000
_PING = b"\x04\x07\x04PING\x00\x00"
_RESET = struct.pack("=ii", 1, 0)


def main(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, zmq.Context() as context:
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with context.socket(getattr(zmq, kind)) as client:
            prepare_socket(client, endpoint)
            client.linger, client.heartbeat_ivl = 0, 100
            if kind == "SUB":
                client.subscribe(b"")
            client.connect(endpoint)
            server = accept(listener, b"PUB" if kind == "SUB" else b"ROUTER")
            server.sendall(frame(b"x") * MESSAGES + _PING + frame(b"x") * 5)
            time.sleep(0.5)  # all of it is read, or nothing more is
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            server.close()
            time.sleep(0.5)  # some PINGs are due
            for _ in range(MESSAGES):
                client.recv()
    print("alive")


if __name__ == "__main__":
    main(*sys.argv[1:])
