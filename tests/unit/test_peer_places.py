from dataclasses import dataclass

from stork_node.transport.peer_places import who_gives_way

NOW = 100.0


@dataclass(eq=False)
class Connection:
    address: str = "10.0.0.1"
    since: float = 0.0
    active_at: float = 0.0
    has_joined: bool = True

    @property
    def is_local(self) -> bool:
        return self.address == "127.0.0.1"


def idle(address: str, *times: float) -> list[Connection]:
    return [Connection(address, since=time, active_at=time) for time in times]


def test_nobody_gives_way_where_there_is_room():
    assert who_gives_way(idle("10.0.0.1", 1, 2, 3), 3, NOW) == []


def test_the_oldest_that_has_not_said_who_it_is_gives_way_first():
    silent = [Connection(since=time, has_joined=False) for time in (50, 40, 60)]
    assert who_gives_way([*idle("10.0.0.1", 1, 2), *silent], 3, NOW) == [silent[1], silent[0]]


def test_a_newcomer_has_time_to_say_who_it_is():
    newcomer = Connection("10.0.0.2", since=NOW, has_joined=False)
    others = idle("10.0.0.1", 1, 2, 3, 4)
    assert who_gives_way([*others, newcomer], 4, NOW) == [others[0]]


def test_newcomers_have_a_quarter_of_the_places():
    silent = [Connection("10.0.0.2", since=NOW - 0.1 * number, has_joined=False) for number in range(3)]
    assert who_gives_way([*idle("10.0.0.1", *range(6)), *silent], 8, NOW) == [silent[-1]]


def test_of_the_busiest_address_the_one_that_is_idle_longest_gives_way():
    rare, busy = idle("10.0.0.2", 1, 2), idle("10.0.0.1", 7, 5, 6)
    assert who_gives_way([*rare, *busy], 4, NOW) == [busy[1]]


def test_peers_of_the_own_host_keep_half_of_the_places():
    own, foreign = idle("127.0.0.1", 1, 2, 3), idle("10.0.0.1", 8, 9)
    assert who_gives_way([*own, *foreign], 4, NOW) == [own[0]]  # more than half
    own, foreign = idle("127.0.0.1", 1, 2), idle("10.0.0.1", 7, 8, 9)
    assert who_gives_way([*own, *foreign], 4, NOW) == [foreign[0]]


def test_where_all_are_of_the_own_host_one_of_them_gives_way():
    own = idle("127.0.0.1", 3, 1, 2)
    assert who_gives_way(own, 2, NOW) == [own[1]]
