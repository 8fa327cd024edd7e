"""Users take turns, and the sessions of each."""

from dataclasses import dataclass

import pytest

from stork_node.application.running.fair_queue import FairQueue


@dataclass(frozen=True)
class Job:
    user: str | None
    session: int
    number: int = 0


def take_all(queue):
    taken = []
    while job := queue.take():
        taken.append(job)
        queue.end(job.user)
    return taken


def test_users_take_turns_however_many_jobs_each_has():
    queue = FairQueue(10)
    for number in range(3):
        queue.put(Job("ann", 1, number))
    queue.put(Job("bob", 2))
    queue.put(Job("cat", 3))
    assert [job.user for job in take_all(queue)] == ["ann", "bob", "cat", "ann", "ann"]


def test_a_users_sessions_take_turns():
    queue = FairQueue(10)
    for session in (1, 1, 1, 2, 3):
        queue.put(Job("ann", session, len(queue)))
    assert [job.session for job in take_all(queue)] == [1, 2, 3, 1, 1]


def test_of_one_session_the_first_comes_first():
    queue = FairQueue(10)
    for number in range(5):
        queue.put(Job("ann", 1, number))
    assert [job.number for job in take_all(queue)] == [0, 1, 2, 3, 4]


def test_a_user_runs_its_share_and_others_go_on():
    queue = FairQueue(2)
    for number in range(4):
        queue.put(Job("ann", 1, number))
    assert (queue.take().number, queue.take().number, queue.take()) == (0, 1, None)
    assert not queue.has_next
    assert queue.held_up() == ["ann"]
    queue.put(Job("bob", 2))
    assert queue.take().user == "bob"
    queue.end("ann")
    assert queue.take().number == 2
    assert (queue.take(), len(queue)) == (None, 1)


def test_what_is_nobodys_has_no_share():
    queue = FairQueue(1)
    for number in range(5):
        queue.put(Job(None, 0, number))
    assert [queue.take().number for _ in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("running", [0, 1])
def test_what_is_removed_is_never_taken(running):
    queue = FairQueue(1)
    jobs = [Job("ann", session, number) for session in (1, 2) for number in range(2)]
    for job in jobs:
        queue.put(job)
    for _ in range(running):
        queue.take()
    assert queue.of_session(2) == jobs[2:]
    assert all(queue.remove(job) for job in jobs[1:])
    assert not queue.remove(jobs[1])
    if running:
        queue.end("ann")
    assert take_all(queue) == jobs[running:1]
    assert (len(queue), queue.has_next, queue.held_up(), queue.find(lambda job: True)) == (0, False, [], [])
