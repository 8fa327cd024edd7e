"""Applications for tests: what a ticket or a topic says is what the handler does."""

MANY_WAYS = """
import asyncio
import time

from stork_node import CallError, Deny, Principal, Stork

stork = Stork()
calls = {}


def count(what):
    calls[what] = calls.get(what, 0) + 1


@stork.authenticator
async def check_ticket(request):
    count("tickets")
    match request.ticket.split(":"):
        case ["raise"]:
            raise ValueError("text of the exception")
        case ["hang"]:
            await asyncio.sleep(3600)
        case ["nonsense"]:
            return "frontend"
        case ["nothing"]:
            return None
        case ["role", role]:
            return Principal(authid="x", role=role)
        case ["old"]:
            return Deny("expired", retry=True)
        case ["past"]:
            return Principal(authid="x", expires_at=time.time() - 1)
        case ["lives", seconds]:
            return Principal(authid="mayfly", expires_at=time.time() + float(seconds))
        case ["user", name]:
            return Principal(authid=name, extra={"greeting": "hello " + name}, private={"groups": [name]})
        case ["from", name]:
            facts = {"address": request.address, "agent": request.headers["User-Agent"], "cookie": request.cookies}
            return Principal(authid=name, extra=facts)
    return Deny("unknown ticket")


open_feed = stork.feed("v1", "open", patterns=("prefix", "wildcard"))

groups = stork.feed("v1", "group")


@groups.verify
def is_member(session, topic):
    return topic.feed_id in session.private["groups"]


@stork.verifier("named")
def named(session, topic):
    return topic.feed_id != "secret" or Deny("named says no")


both = stork.feed("v1", "both")
both.verify("named")


@both.verify
def not_public(session, topic):
    return topic.feed_id != "public"


cached = stork.feed("v1", "cached")


@cached.verify(cache_s=60)
def remember(session, topic):
    count("cached " + session.authid + " " + topic.feed_id)
    return topic.feed_id != "no"


slow = stork.feed("v1", "slow")


@slow.verify
async def wait_a_little(session, topic):
    count("slow " + topic.feed_id)
    await asyncio.sleep(0.5)
    return True


bad = stork.feed("v1", "bad")


@bad.verify
def go_wrong(session, topic):
    if topic.feed_id == "raise":
        raise ValueError("text of the exception")
    if topic.feed_id == "hang":
        time.sleep(3600)
    return "nonsense"


@stork.rpc("test.count", allow=True)
def get_count(call):
    return calls.get(call.args[0], 0)


@stork.rpc("test.whoami", allow=True)
async def whoami(call):
    session = call.session
    facts = ("id", "authid", "role", "private", "extra", "realm", "authmethod", "address")
    return {name: getattr(session, name) for name in facts}


@stork.rpc("test.for-joe", allow=lambda session: session.authid == "joe")
def for_joe(call):
    return "for joe"


@stork.rpc("test.backends-only")
def backends_only(call):
    return call.kwargs


@stork.rpc("test.error", allow=True)
def error(call):
    raise CallError("test.error.named", "so it is", 17, detail="x")


@stork.rpc("test.raise", allow=True)
def raises(call):
    raise ValueError("text of the exception")


@stork.rpc("test.original", json_string=True)
def original(call):
    return {"got": call.args[0]}


@stork.rpc("test.push", allow=True)
async def push(call):
    return await stork.push(["v1.open.pushed"], type="from-async", data=call.session.authid)


@stork.rpc("test.push-plain", allow=True)
def push_plain(call):
    return stork.publisher.push(["v1.open.pushed"], type="from-def", data=call.session.authid)


@stork.on_join
async def joined(session):
    await stork.push(["v1.open.presence"], type="joined", data=[session.authid, session.private, session.extra])


@stork.on_leave
def left(session):
    stork.publisher.push(["v1.open.presence"], type="left", data=[session.authid, session.private, session.extra])
"""
