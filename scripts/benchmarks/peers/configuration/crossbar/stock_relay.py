"""
The original's way of relaying: a process of its own with a WAMP client, which publishes each push to each of its
topics, acknowledged. It takes pushes itself, which spares it the original's publish server.

    stock_relay.py PUSH-PORT UNIX-PATH-OF-THE-ROUTER
"""

import contextlib
import json
import sys
import threading

import zmq
from autobahn.twisted.component import Component, run
from autobahn.wamp.types import PublishOptions
from twisted.internet import reactor

MOST_AT_ONCE = 500  # then the connection gets its turn

push_port, router = sys.argv[1:]
component = Component(
    realm="realm1",
    transports={
        "type": "rawsocket",
        "url": "rs://router",
        "endpoint": {"type": "unix", "path": router},
        "serializer": "cbor",
    },
)
acknowledged = PublishOptions(acknowledge=True)


@component.on_join
async def joined(session, details):
    def publish(pushes):
        for push in map(json.loads, pushes):
            event = {name: push[name] for name in ("type", "data", "timestamp")}
            for topic in push["topics"]:
                session.publish(topic, event, options=acknowledged).addErrback(refused)

    def refused(failure):
        print(f"not published: {failure.value}", file=sys.stderr, flush=True)

    def take():
        socket = zmq.Context.instance().socket(zmq.PULL)
        socket.bind(f"tcp://127.0.0.1:{push_port}")
        while True:
            pushes = [socket.recv()]
            with contextlib.suppress(zmq.Again):
                while len(pushes) < MOST_AT_ONCE:
                    pushes.append(socket.recv(zmq.NOBLOCK))
            reactor.callFromThread(publish, pushes)

    threading.Thread(target=take, daemon=True).start()


run([component], log_level="warn")
