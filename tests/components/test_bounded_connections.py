"""A port with a bounded number of connections; channels are fakes."""

from stork_crossbar.opening.bounded_connections import BoundedConnections


class Channel:
    def __init__(self):
        self.is_cut = False

    def end(self):
        self.is_cut = True


def test_the_one_that_has_asked_for_nothing_for_longest_gives_way():
    connections, channels = BoundedConnections(2, Channel.end), [Channel() for _ in range(4)]
    for channel in channels[:2]:
        connections.enter(channel)
    connections.ask(channels[0])
    for channel in channels[2:]:
        connections.enter(channel)
    assert [channel.is_cut for channel in channels] == [True, True, False, False]
    assert len(connections) == 2


def test_whoever_is_gone_makes_room():
    connections, channels = BoundedConnections(1, Channel.end), [Channel(), Channel()]
    connections.enter(channels[0])
    connections.leave(channels[0])
    connections.ask(channels[0])
    connections.enter(channels[1])
    assert not any(channel.is_cut for channel in channels)
