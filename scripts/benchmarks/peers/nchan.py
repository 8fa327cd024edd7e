"""nchan, nginx's push module: pushed to by HTTP POST, pipelined on one connection."""

from collections.abc import Sequence

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.peer import Peer, program, version_in
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher
from benchmarks.tools import Package, run

_SECRET = "bench-secret"
_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"


class Nchan(Peer):
    name = "nchan"
    label = "nchan"
    packages = (Package("nginx", "nginx"), Package("libnginx-mod-nchan", _MODULE))

    @classmethod
    def version(cls) -> str:
        package = run(["dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"], "nchan is not Debian's")
        nginx = version_in(run([program("nginx"), "-v"], "nginx does not run"))
        return f"{version_in(package.partition(':')[2] or package)} (nginx {nginx})"

    def start(self) -> None:
        self.push_port, port = free_ports(2)
        path = self.configure(
            "nginx.conf", port=port, push_port=self.push_port, folder=self.folder, module=_MODULE, secret=_SECRET
        )
        self.run("nginx", program("nginx"), "-p", self.folder, "-c", path).wait_for_port(port)
        self.address = Address(port, f"/ws/{{topic}}?ticket={_SECRET}", "raw")

    def pusher(self) -> StreamPusher:
        return StreamPusher(self.push_port, _encode)


def _encode(events: Sequence[Event]) -> bytes:
    return b"".join(
        b"POST /push/%b HTTP/1.1\r\nHost: push\r\nContent-Length: %d\r\n\r\n%b" % (topic.encode(), len(event), event)
        for topic, event in events
    )
