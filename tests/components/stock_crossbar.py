"""A stock Crossbar with a few procedures, for clients that are tested against nothing of ours."""

import json
import os
import socket
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.gateway import Process, free_ports, wait_for

PROCEDURES = textwrap.dedent(
    """
    import json
    from autobahn.twisted.wamp import ApplicationSession
    from autobahn.wamp.exception import ApplicationError
    from autobahn.wamp.types import CallResult, RegisterOptions
    from twisted.internet import reactor, task


    class Procedures(ApplicationSession):
        async def onJoin(self, details):
            await self.register(lambda *args, **kwargs: [list(args), kwargs], "test.echo")
            await self.register(lambda: None, "test.nothing")
            await self.register(lambda: CallResult(1, 2, three=3), "test.several")
            await self.register(lambda seconds: task.deferLater(reactor, seconds, lambda: seconds), "test.sleep")
            await self.register(self.fail, "test.fail")
            await self.register(lambda text: json.loads(text)["answer"], "test.as_it_is")
            await self.register(lambda text: text.replace("name", "bar"), "test.json_string")
            await self.register(lambda topic, *args, **kwargs: self.publish(topic, *args, **kwargs), "test.publish")
            await self.register(
                lambda details: details.caller, "test.own_id", options=RegisterOptions(details_arg="details")
            )

        def fail(self):
            raise ApplicationError("test.error.broken", "it broke", 7, message="as a keyword", code=3)
    """
)

EVERYTHING = {
    "uri": "",
    "match": "prefix",
    "allow": dict.fromkeys(("call", "register", "publish", "subscribe"), True),
    "disclose": {"caller": True, "publisher": False},
}


def config(port: int) -> dict[str, Any]:
    users = {
        "backend": {"secret": "long-secret", "role": "backend"},
        "salted": {"secret": "salted-secret", "role": "backend", "salt": "grain", "iterations": 100, "keylen": 16},
    }
    return {
        "version": 2,
        "workers": [
            {
                "type": "router",
                "options": {"pythonpath": [".."]},
                "realms": [
                    {
                        "name": "realm1",
                        "roles": [
                            {"name": "backend", "permissions": [EVERYTHING]},
                            {"name": "guest", "permissions": []},
                        ],
                    }
                ],
                "transports": [
                    {
                        "type": "websocket",
                        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1"},
                        "serializers": ["json"],
                        "auth": {
                            "wampcra": {"type": "static", "users": users},
                            "ticket": {
                                "type": "static",
                                "principals": {
                                    "ada": {"ticket": "good-ticket", "role": "backend"},
                                    "guest": {"ticket": "guest-ticket", "role": "guest"},
                                },
                            },
                        },
                    }
                ],
                "components": [
                    {"type": "class", "classname": "procedures.Procedures", "realm": "realm1", "role": "backend"}
                ],
            }
        ],
    }


class StockCrossbar:
    """Starts and ends one in ``folder``; the port stays the same."""

    def __init__(self, folder: Path) -> None:
        [self.port] = free_ports(1)
        self.url = f"ws://127.0.0.1:{self.port}/"
        self._folder, self._starts = folder, 0
        (folder / "procedures.py").write_text(PROCEDURES)
        (folder / ".crossbar").mkdir()

    def start(self) -> None:
        (self._folder / ".crossbar/config.json").write_text(json.dumps(config(self.port)))
        self._starts += 1
        crossbar = str(Path(sys.executable).with_name("crossbar"))
        command = [crossbar, "start", "--cbdir", str(self._folder / ".crossbar")]
        self._process = Process(command, self._folder / f"{self._starts}.log", dict(os.environ), self._folder)
        self._process.wait_for_line("NODE_BOOT_COMPLETE", 60)
        wait_for(self._listens, f"port {self.port}")

    def stop(self) -> None:
        self._process.stop()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
