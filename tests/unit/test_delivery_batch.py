from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from stork_node.broadcast.delivery_batch import DeliveryBatch
from stork_node.protocol.wamp_events import Content


@dataclass(eq=False)
class Subscription:
    id: int
    observers: set[str] = field(default_factory=set)


def delivery_of(*events):
    """Events as (subscription, content) or (subscription, content, sessions that do not get it)."""
    delivery = DeliveryBatch(lambda subscription: subscription.observers)
    for subscription, content, *exclude in events:
        delivery.add(subscription, subscription.id, 1, None, Content(None, content), *exclude)
    return delivery


def received(delivery):
    """The events of each session: (subscription's id, content), in order."""
    got = {}
    for group, sessions in delivery.groups():
        for session in sessions:
            assert session not in got
            got[session] = [(event.subscription, event.content.position) for event in group.events]
    return got


def test_all_observers_of_one_subscription_share_one_piece():
    delivery = delivery_of((Subscription(1, {"a", "b"}), "e:1"), (Subscription(2, {"c"}), "e:2"))
    groups = {frozenset(sessions): group for group, sessions in delivery.groups()}
    assert set(groups) == {frozenset({"a", "b"}), frozenset({"c"})}
    assert all(group.payload("json") is group.payload("json") for group in groups.values())


def test_a_session_with_several_subscriptions_gets_all_in_order():
    one, two = Subscription(1, {"a", "b"}), Subscription(2, {"b", "c"})
    delivery = delivery_of((one, "e:1"), (two, "e:2"), (one, "e:3"), (two, "e:3"))
    assert received(delivery) == {
        "a": [(1, "e:1"), (1, "e:3")],
        "b": [(1, "e:1"), (2, "e:2"), (1, "e:3"), (2, "e:3")],
        "c": [(2, "e:2"), (2, "e:3")],
    }


def test_an_excluded_session_misses_that_event_only():
    one = Subscription(1, {"a", "b"})
    assert received(delivery_of((one, "e:1", ["a"]), (one, "e:2"))) == {
        "a": [(1, "e:2")],
        "b": [(1, "e:1"), (1, "e:2")],
    }
    assert received(delivery_of((one, "e:1", ["a", "stranger"]))) == {"b": [(1, "e:1")]}


def test_nothing_for_nobody():
    assert list(delivery_of().groups()) == []
    assert list(delivery_of((Subscription(1), "e:1")).groups()) == []
    assert list(delivery_of((Subscription(1), "e:1"), (Subscription(2), "e:1")).groups()) == []


def test_a_piece_is_the_frames_one_after_the_other():
    [(group, _)] = delivery_of((one := Subscription(1, {"a"}), "e:1"), (one, "e:2")).groups()
    assert group.payload("json") == b"".join(
        b'\x81%c[36,1,1,{},[],{"position":"e:%d"}]' % (len('[36,1,1,{},[],{"position":"e:1"}]'), number)
        for number in (1, 2)
    )


def large(*sizes):
    """A group of events with so many bytes."""
    delivery, one = DeliveryBatch(lambda subscription: subscription.observers), Subscription(1, {"a"})
    for size in sizes:
        delivery.add(one, 1, 1, None, Content(bytes(size), ""))
    [(group, _)] = delivery.groups()
    return delivery, group


def numbers(group):
    return [[event.number for event in part.events] for part in group.parts()]


def test_a_small_turn_is_one_part():
    delivery, group = large(400_000, 400_000)
    assert delivery.is_small
    assert numbers(group) == [[0, 1]]


def test_a_large_share_is_in_parts_of_1_mib_or_of_one_event():
    delivery, group = large(400_000, 400_000, 400_000, 2_000_000, 2_000_000, 1, 1)
    assert not delivery.is_small
    assert numbers(group) == [[0, 1], [2], [3], [4], [5, 6]]


def test_many_small_events_are_not_small():
    delivery, group = large(*[0] * 20_000)
    assert not delivery.is_small
    assert [len(part) for part in numbers(group)] == [10_485, 9_515]


def test_a_turn_is_full_after_100_000_events():
    delivery = delivery_of(*[(Subscription(1, {"a"}), "e:1")] * 99_999)
    assert not delivery.is_full
    delivery.add(Subscription(1), 1, 1, None, Content(None, "e:1"))
    assert delivery.is_full


@given(
    observers=st.lists(st.sets(st.sampled_from("abcdef")), min_size=1, max_size=5),
    events=st.lists(st.tuples(st.integers(0, 4), st.sets(st.sampled_from("abcdef"), max_size=2)), max_size=20),
)
def test_each_session_gets_what_one_publish_after_the_other_would_give_it(observers, events):
    subscriptions = [Subscription(number, each) for number, each in enumerate(observers)]
    events = [(subscriptions[number % len(subscriptions)], exclude) for number, exclude in events]
    expected: dict[str, list[tuple[int, str]]] = {}
    for number, (subscription, exclude) in enumerate(events):
        for session in subscription.observers - exclude:
            expected.setdefault(session, []).append((subscription.id, f"e:{number}"))
    delivery = delivery_of(*((each, f"e:{number}", exclude) for number, (each, exclude) in enumerate(events)))
    assert received(delivery) == expected
