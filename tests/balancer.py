"""HAProxy before the nodes of a deployment, on a port of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.gateway import Deployment, free_ports

_CONFIG = """
global
    hard-stop-after 2s
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 10s
    timeout tunnel 10m
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
frontend browsers
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance leastconn
    option httpchk
    http-check send meth GET uri /ready
    http-check expect status 200
    default-server check inter 200ms fall 2 rise 1
{servers}
"""


@contextmanager
def haproxy_before(deployment: Deployment) -> Iterator[int]:
    """The port on which it passes connections to the nodes that are ready."""
    [port] = free_ports(1)
    servers = "\n".join(
        f"    server node{n} 127.0.0.1:{node.port} check port {deployment.operator_ports[node.port]}"
        for n, node in enumerate(deployment.nodes)
    )
    config = deployment.folder / "haproxy.cfg"
    config.write_text(_CONFIG.format(port=port, servers=servers))
    with (deployment.folder / "haproxy.log").open("wb") as log:
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        yield port
    finally:
        haproxy.terminate()
        haproxy.wait(10)
