"""A port with a bounded number of connections; channels are fakes."""

from stork_crossbar.opening.crowd import Crowd


class Channel:
    def __init__(self):
        self.is_cut = False

    def end(self):
        self.is_cut = True


def test_the_one_that_has_asked_for_nothing_for_longest_gives_way():
    crowd, channels = Crowd(2, Channel.end), [Channel() for _ in range(4)]
    for channel in channels[:2]:
        crowd.enter(channel)
    crowd.ask(channels[0])
    for channel in channels[2:]:
        crowd.enter(channel)
    assert [channel.is_cut for channel in channels] == [True, True, False, False]
    assert len(crowd) == 2


def test_whoever_is_gone_makes_room():
    crowd, channels = Crowd(1, Channel.end), [Channel(), Channel()]
    crowd.enter(channels[0])
    crowd.leave(channels[0])
    crowd.ask(channels[0])
    crowd.enter(channels[1])
    assert not any(channel.is_cut for channel in channels)
