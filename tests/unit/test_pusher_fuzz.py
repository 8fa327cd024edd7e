"""No bytes of a client or a backend raise anything but what is named."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from stork_node.pusher.apps import App, Apps
from stork_node.pusher.connection import Connection
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.events import read_batch, read_event
from stork_node.pusher.http.requests import read_request
from stork_node.pusher.settings import PusherLimits

APP = App("1", {"key": "secret"}, client_events=True)
EVENTS = ["pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "client-x", "x", ""]
CHANNELS = ["a.1", "private-a", "presence-a", "cache-a", "#server-to-user-1", "", "a b", "a" * 201]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(CHANNELS)
)
KEYS = st.sampled_from(
    ["channel", "channels", "auth", "channel_data", "user_data", "data", "name", "event", "batch", "id"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
FRAMES = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries({"event": st.sampled_from(EVENTS)}, optional={"data": VALUES, "channel": VALUES}).map(
        lambda frame: json.dumps(frame).encode()
    ),
)
BODIES = st.one_of(st.binary(max_size=60), VALUES.map(lambda value: json.dumps(value).encode()))


class Outlet:
    def __init__(self):
        self.topics, self.closed = set(), 0

    def send(self, frame):
        assert json.loads(frame)["event"]

    def subscribe(self, channel, topic):
        assert topic not in self.topics
        self.topics.add(topic)

    def unsubscribe(self, channel, topic):
        self.topics.remove(topic)

    def join(self, channel, topic, member):
        return True

    def leave(self, channel, topic, member, *, has_left): ...

    def succeed(self, channel, topic): ...

    def identify(self, user_id):
        return True

    def forget(self, user_id): ...

    def signed_in(self, user): ...

    def signed_out(self, user, *, has_left): ...

    def send_last(self, channel, topic): ...

    def denied(self, channel, by, reason): ...

    def refused(self, user_id, reason): ...

    def channels_of_address(self):
        return len(self.topics)

    def reached(self, limit, number): ...

    def push(self, event, topic):
        assert topic in self.topics

    def close(self, code, reason):
        assert 4000 <= code < 4300
        assert reason
        self.closed += 1


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=25))
def test_any_frames_are_answered_or_end_the_connection(frames):
    outlet = Outlet()
    connection = Connection(APP, "1.2", outlet, PusherLimits(subscriptions=3))
    for number, frame in enumerate(frames):
        connection.receive(frame, float(number))
        if outlet.closed:
            break
    connection.leave()
    assert outlet.topics == set()


@settings(deadline=None)
@given(BODIES)
def test_any_body_is_an_event_or_is_refused(body):
    for read in (lambda: [read_event(APP, body, None)], lambda: read_batch(APP, body)):
        try:
            for event in read():
                event.frame("id")
        except HttpRefusal as error:
            assert error.status in (400, 413)  # noqa: PT017  # either may happen


@settings(deadline=None)
@given(st.sampled_from(["GET", "POST"]), st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_target_is_refused_without_a_signature(method, text):
    for target in (text, f"/apps/1/{text}", f"/apps/1/events?auth_key=key&{text}"):
        try:
            read_request(Apps([APP]), method, target, 0.0)
        except HttpRefusal as error:
            assert error.status in (401, 404)  # noqa: PT017  # nothing else may happen
        else:
            raise AssertionError(target)
