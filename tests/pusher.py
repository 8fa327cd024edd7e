"""A Pusher client and a Pusher backend, independent of our code: they sign, and show what is on the wire."""

import contextlib
import hashlib
import hmac
import http.client
import json
import time
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

KEY, SECRET = "app-key", "app-secret"


def sign(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class PusherClient:
    """One connection; ``next`` returns the frames, with their ``data`` decoded where it is JSON in a string."""

    def __init__(
        self,
        port: int,
        key: str = KEY,
        query: str = "?protocol=7&client=js&version=8.4.0",
        secret: str = SECRET,
        **options: Any,
    ) -> None:
        self.key, self.secret = key, secret
        self.socket = connect(f"ws://127.0.0.1:{port}/app/{key}{query}", compression=None, max_size=None, **options)

    def __enter__(self) -> "PusherClient":
        self.established = self.next()
        assert self.established["event"] == "pusher:connection_established", self.established
        self.id: str = self.established["data"]["socket_id"]
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def next_text(self, timeout_s: float = 10.0) -> str:
        text = self.socket.recv(timeout_s)
        assert isinstance(text, str)
        return text

    def next(self, timeout_s: float = 10.0) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.next_text(timeout_s))
        with contextlib.suppress(KeyError, TypeError, ValueError):
            frame["data"] = json.loads(frame["data"])
        return frame

    def send(self, event: str, **members: Any) -> None:
        self.socket.send(json.dumps({"event": event, **members}))

    def ask(self, event: str, **members: Any) -> dict[str, Any]:
        self.send(event, **members)
        return self.next()

    def subscribe(self, channel: str, **data: Any) -> dict[str, Any]:
        return self.ask("pusher:subscribe", data={"channel": channel, **data})

    def auth(self, text: str) -> str:
        return f"{self.key}:{sign(text, self.secret)}"

    def sign_in(self, user: str, **more: Any) -> None:
        text = json.dumps({"id": user, **more})
        auth = self.auth(f"{self.id}::user::{text}")
        self.send("pusher:signin", data={"auth": auth, "user_data": text})
        assert self.skip_to("pusher:signin_success")["data"] == {"user_data": text}

    def skip_to(self, *events: str) -> dict[str, Any]:
        """The next frame of one of these events."""
        while (frame := self.next())["event"] not in events:
            pass
        return frame

    def ask_to_join(self, channel: str) -> None:
        signed = {"auth": self.auth(f"{self.id}:{channel}")} if channel.startswith("private-") else {}
        self.send("pusher:subscribe", data={"channel": channel, **signed})

    def subscribe_as(self, channel: str, data: Any) -> dict[str, Any]:
        """Subscribe to a presence channel; ``data`` None: without channel_data."""
        text = None if data is None else json.dumps(data)
        signed = f"{self.id}:{channel}" if text is None else f"{self.id}:{channel}:{text}"
        told = {} if text is None else {"channel_data": text}
        return self.subscribe(channel, auth=self.auth(signed), **told)

    def join_as(self, channel: str, user_id: str | int, **info: Any) -> dict[str, Any]:
        """Join a presence channel; returns the information of all members."""
        answer = self.subscribe_as(channel, {"user_id": user_id, "user_info": info})
        members: dict[str, Any] = answer["data"]["presence"]["hash"]
        return members

    def join(self, *channels: str) -> None:
        for channel in channels:
            self.ask_to_join(channel)
            answer = self.next()
            assert answer == {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": {}}

    def has_nothing(self) -> bool:
        """Whether nothing came before the answer to a ping."""
        return self.ask("pusher:ping", data={})["event"] == "pusher:pong"

    def end(self, timeout_s: float = 20.0) -> tuple[list[dict[str, Any]], int]:
        """The frames up to the close, and its code."""
        frames = []
        try:
            while True:
                frames.append(self.next(timeout_s))
        except ConnectionClosed as closed:
            return frames, closed.rcvd.code if closed.rcvd else 1006


class PusherBackend:
    """The HTTP API, on one connection that is kept."""

    def __init__(self, port: int, app: str = "1", key: str = KEY, secret: str = SECRET) -> None:
        self.app, self.key, self.secret = app, key, secret
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __enter__(self) -> "PusherBackend":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def target(self, method: str, path: str, body: bytes | None = None, **parameters: str) -> str:
        query = {"auth_key": self.key, "auth_timestamp": str(int(time.time())), "auth_version": "1.0", **parameters}
        if body is not None:
            query.setdefault("body_md5", hashlib.md5(body).hexdigest())
        path = f"/apps/{self.app}{path}"
        text = "&".join(f"{name}={query[name]}" for name in sorted(query))
        signature = sign("\n".join([method, path, text]), self.secret)
        return f"{path}?{text}&auth_signature={signature}"

    def send(self, method: str, target: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        self.connection.request(
            method, target, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = self.connection.getresponse()
        said = answer.read()
        return answer.status, json.loads(said) if said else None

    def post(self, path: str, value: Any, **headers: str) -> tuple[int, Any]:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.send("POST", self.target("POST", path, body), body, **headers)

    def get(self, path: str, **parameters: str) -> tuple[int, Any]:
        return self.send("GET", self.target("GET", path, **parameters))

    def trigger(self, channel: str, name: str, data: str = "{}", **more: Any) -> None:
        assert self.post("/events", {"channel": channel, "name": name, "data": data, **more}) == (200, {})
