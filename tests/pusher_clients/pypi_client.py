"""Real parts, none of them ours: PyPI's ``pusher`` as the backend. PORT KEY SECRET; ends with 0 if all is well."""

import base64
import hmac
import json
import sys
import time
from typing import Any

import pusher
from pusher import errors

PORT, KEY, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def backend(**changed: Any) -> pusher.Pusher:
    place = {"app_id": "1", "key": KEY, "secret": SECRET, "host": "127.0.0.1", "port": PORT, "ssl": False}
    return pusher.Pusher(**(place | changed))


def refused(error: type[Exception], call: Any, *args: Any) -> None:
    try:
        call(*args)
    except error:
        return
    raise AssertionError(f"{call} was not refused")


client = backend()
assert client.trigger("orders.42", "paid", {"name": "Zoë"}) == {}
assert client.trigger(["a", "private-b"], "paid", "plain", "123.456") == {}
assert client.trigger([f"c{number}" for number in range(100)], "paid", {}) == {}
assert client.send_to_user("ann", "hello", {"x": 1}) == {}
assert (
    client.trigger_batch([{"channel": "a", "name": "n", "data": {"k": 1}}, {"channel": "b", "name": "n", "data": "s"}])
    == {}
)
assert client.channels_info("nothing-", ["user_count"]) == {"channels": {}}
assert client.channel_info("a=b,c;d@x.y", ["subscription_count"]) == {"occupied": False, "subscription_count": 0}
assert client.users_info("presence-a") == {"users": []}
encrypting = backend(encryption_master_key_base64=base64.b64encode(b"7" * 32).decode())
assert encrypting.trigger("private-encrypted-a", "note", {"secret": 7}) == {}

refused(errors.PusherBadRequest, client.trigger, "a", "pusher:x", {})
refused(errors.PusherBadRequest, client.users_info, "private-a")
refused(errors.PusherBadAuth, backend(secret="another").trigger, "a", "b", {})
refused(errors.PusherBadStatus, backend(app_id="9").trigger, "a", "b", {})
# It asks for /users/…, without the app: a fault of the library, which no server can answer.
refused(errors.PusherBadStatus, client.terminate_user_connections, "ann")

body = json.dumps({"time_ms": int(time.time() * 1000), "events": []})
signature = hmac.new(SECRET.encode(), body.encode(), "sha256").hexdigest()
assert client.validate_webhook(KEY, signature, body)["events"] == []
