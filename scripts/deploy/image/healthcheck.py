"""
The image's HEALTHCHECK: whether the node answers, or the publish server where it runs alone.

Kubernetes and HAProxy ask the node themselves, at /ready and /health.
"""

import socket
import sys
import urllib.request
from pathlib import Path

NODE = "http://127.0.0.1:8081/health"
PUBLISH_SERVER = ("127.0.0.1", 5557)
TIMEOUT_S = 4.0


def ask_node() -> None:
    with urllib.request.urlopen(NODE, timeout=TIMEOUT_S) as answer:
        answer.read()


def ask_publish_server() -> None:
    """Take its part of a ZMTP greeting, which begins with FF: enough to know that it is alive, whatever its secret."""
    with socket.create_connection(PUBLISH_SERVER, TIMEOUT_S) as connection:
        if connection.recv(1) != b"\xff":
            raise OSError("what answers is not ZMQ")


def main() -> None:
    process_1 = Path("/proc/1/cmdline").read_bytes().split(b"\0")
    try:
        (ask_publish_server if b"publish-server" in process_1 else ask_node)()
    except OSError as error:  # urllib's errors are, too
        sys.exit(f"unhealthy: {error}")


main()
