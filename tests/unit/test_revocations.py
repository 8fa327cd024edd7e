"""Tokens that are older than a command that has disconnected their user."""

from msgspec import structs

from stork_node.engines.embedded import EmbeddedEngine
from stork_node.engines.recent_ids import content_of
from stork_node.nodes.log_state import LogState
from stork_node.nodes.revocations import MOST_REVOCATIONS, Revocations, revokes
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.intake import Arrival, Awaited, CommandRequest, Intake
from stork_node.push_log import SegmentLog

OUT = Command("disconnect", authid="7", given_s=100)


def test_a_token_from_before_the_command_is_refused():
    revoked = Revocations()
    revoked.note(OUT)
    assert [revoked.refuses("7", issued_at) for issued_at in (99, 99.9, 100, 101, None)] == [True, True, *[False] * 3]
    assert not revoked.refuses("8", 99)


def test_the_last_command_counts():
    revoked = Revocations({"7": 200})
    revoked.note(OUT)
    revoked.merge({"7": 150, "8": 50})
    assert revoked.by_user == {"7": 200, "8": 50}


def test_only_a_disconnect_of_a_user_makes_tokens_worthless():
    assert revokes(OUT)
    others = (Command("disconnect", session=1), Command("refresh", authid="7"), Command("forget", authid="7"))
    assert not any(map(revokes, others))


def test_the_oldest_make_room():
    revoked = Revocations()
    for number in range(MOST_REVOCATIONS + 1):
        revoked.note(structs.replace(OUT, authid=str(number)))
    assert (len(revoked), revoked.refuses("0", 1), revoked.refuses("1", 1)) == (MOST_REVOCATIONS, False, True)


def test_the_time_of_a_command_is_no_part_of_its_content():
    assert content_of(OUT) == content_of(structs.replace(OUT, given_s=0))


def test_the_log_stamps_what_revokes_and_keeps_it_across_epochs(tmp_path):
    with SegmentLog(tmp_path) as log:
        intake = Intake(EmbeddedEngine(log, 0.0), Counters(), wall=lambda: 100.9)
        given = [Command("disconnect", authid="7", id="k"), Command("refresh", authid="8")]
        answers = intake.take([Arrival(CommandRequest(each), [b"peer"]) for each in given], 0.0).answers
        assert answers == [Awaited("k", 1, 5000), Awaited(None, 2, 5000)]
        assert intake.take([Arrival(CommandRequest(given[0]), [b"peer"])], 0.0).answers == [Awaited("k", 1, 5000)]
        assert log.state.revoked.by_user == {"7": 100}
        log.begin_new_epoch()
        assert log.state.revoked.by_user == {"7": 100}
    with SegmentLog(tmp_path) as log:
        assert log.state.revoked.by_user == {"7": 100}


def test_revocations_come_back_with_the_state():
    state = LogState(Position("e", 1), Revocations({"7": 100}))
    again = LogState.decode(state.encode())
    assert again is not None
    assert again.revoked.by_user == {"7": 100}
