"""The PHP client inside real processes: forks, signals, error handlers, many open files, long-running workers."""

from __future__ import annotations

import resource

import pytest
from php_process import Php, has_zmq, interpreter, run_php
from router_double import RouterDouble


@pytest.mark.parametrize("secret", [None, "s3cret"])
def test_a_forked_child_and_its_parent_have_connections_of_their_own(transport: str, secret: str | None) -> None:
    code = """
    $publisher = new Publisher($options);
    $push = fn ($who) => $publisher->push('v1.test.1', new SimpleMessage($who));
    $push('parent');
    $publisher->send('v1.test.1', new SimpleMessage('parent'));
    $children = [];
    for ($i = 0; $i < 3; $i++) {
        $child = pcntl_fork();
        if ($child === 0) {
            $push("child $i");
            $push("child $i");
            exit(0);
        }
        $children[] = $child;
    }
    foreach ($children as $child) {
        pcntl_waitpid($child, $status);
        $statuses[] = $status;
    }
    $push('parent');
    say($statuses);
    """
    with RouterDouble(secret=secret) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 20_000, "secret": secret}
        assert run_php(code, {"options": options}, command=interpreter(transport)).only == [0, 0, 0]
        peers: dict[str, set[bytes]] = {}
        for arrival in server.arrivals:
            peers.setdefault(arrival.document["type"], set()).add(arrival.peer)
        assert len(server.arrivals) == 9
        assert {who: len(each) for who, each in peers.items()} == {
            "parent": 1,
            "child 0": 1,
            "child 1": 1,
            "child 2": 1,
        }
        assert len(set.union(*peers.values())) == 4


def test_a_child_that_never_pushes_leaves_the_parents_connection_alone(transport: str, server: RouterDouble) -> None:
    code = """
    $publisher = new Publisher($options);
    $publisher->send('v1.test.1', new SimpleMessage('t'));
    $child = pcntl_fork();
    if ($child === 0) { exit(0); }
    pcntl_waitpid($child, $status);
    say([$status, $publisher->push('v1.test.1', new SimpleMessage('t'))]);
    """
    options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 20_000}
    assert run_php(code, {"options": options}, command=interpreter(transport)).only == [0, "epoch:2"]
    assert len({arrival.peer for arrival in server.arrivals}) == 1


def test_an_error_handler_that_throws_is_undisturbed_and_still_installed(transport: str) -> None:
    code = """
    set_error_handler(function ($level, $text) { throw new ErrorException($text, 0, $level); });
    say(attempt(fn () => (new Publisher($options))->push('v1.test.1', new SimpleMessage('t'))));
    try { trigger_error('mine'); } catch (ErrorException $error) { say($error->getMessage()); }
    """
    options = {"endpoint": "tcp://127.0.0.1:1", "transport": transport, "timeout_ms": 100}
    said = run_php(code, {"options": options}, command=interpreter(transport)).values
    assert said[0]["thrown"] == "NotConfirmed"
    assert said[1] == "mine"


def test_signals_while_waiting_do_not_end_a_push(transport: str) -> None:
    code = """
    pcntl_async_signals(true);
    $signals = 0;
    pcntl_signal(SIGUSR1, function () use (&$signals) { $signals++; }, false);
    $child = pcntl_fork();
    if ($child === 0) {
        for ($i = 0; $i < 20; $i++) { usleep(20000); posix_kill(posix_getppid(), SIGUSR1); }
        posix_kill(getmypid(), SIGKILL);
    }
    $answer = attempt(fn () => (new Publisher($options))->push('v1.test.1', new SimpleMessage('t')));
    pcntl_waitpid($child, $status);
    say([$answer, $signals > 0]);
    """

    def answer_after_signals(server: RouterDouble, arrival: object) -> None:
        server.loses_a_peer_within(300)
        server.reply(server.arrivals[0].peer, server.store(server.arrivals[0].document))

    with RouterDouble(answer_after_signals) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 20_000}
        command = [*interpreter(transport), "-d", "extension=posix"]
        assert run_php(code, {"options": options}, command=command).only == [{"result": "epoch:1"}, True]
        assert len(server.arrivals) == 1


def test_a_publisher_works_after_an_exception_in_a_signal_handler(transport: str) -> None:
    code = """
    pcntl_async_signals(true);
    pcntl_signal(SIGALRM, function () { throw new LogicException('the job took too long'); }, false);
    $publisher = new Publisher($options);
    pcntl_alarm(1);
    $slow = new SimpleMessage('slow');
    try { $publisher->push('v1.test.1', $slow); } catch (LogicException $error) { say($error->getMessage()); }
    say($publisher->push('v1.test.1', new SimpleMessage('next')));
    """

    def answer_only_the_next(server: RouterDouble, arrival: object) -> None:
        last = server.arrivals[-1]
        if last.document["type"] == "next":
            server.reply(last.peer, server.store(last.document))

    with RouterDouble(answer_only_the_next) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 60_000}
        said = run_php(code, {"options": options}, command=interpreter(transport)).values
        assert said == ["the job took too long", "epoch:1"]


def test_descriptors_beyond_those_of_select_do_not_matter(server: RouterDouble) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = """
    for ($i = 0; $i < 1100; $i++) { $open[] = fopen('/dev/null', 'r'); }
    $publisher = new Publisher($options);
    $publisher->send('v1.test.1', new SimpleMessage('t'));
    say($publisher->push('v1.test.1', new SimpleMessage('t', str_repeat('x', 900000))));
    """
    assert hard == resource.RLIM_INFINITY or hard >= 2048
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        options = {"endpoint": server.endpoint, "transport": "stream", "timeout_ms": 20_000}
        assert run_php(code, {"options": options}).only == "epoch:2"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_worker_connects_anew_after_close_and_after_the_server_hung_up(transport: str, server: RouterDouble) -> None:
    code = """
    $publisher = new Publisher($options);
    $push = fn () => $publisher->push('v1.test.1', new SimpleMessage('t'));
    $first = $push();
    $publisher->close();
    $publisher->close();
    say([$first, $push()]);
    """
    options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 20_000}
    assert run_php(code, {"options": options}, command=interpreter(transport)).only == ["epoch:1", "epoch:2"]
    assert len({arrival.peer for arrival in server.arrivals}) == 2


def test_ext_zmq_is_used_where_it_is_loaded_and_streams_where_not(server: RouterDouble) -> None:
    code = """
    $publisher = new Publisher($options);
    $publisher->push('v1.test.1', new SimpleMessage('t'));
    $transport = (new ReflectionProperty($publisher, 'transport'))->getValue($publisher);
    say((new ReflectionClass($transport))->getShortName());
    """
    options = {"endpoint": server.endpoint}
    assert run_php(code, {"options": options}).only == "StreamTransport"
    if not has_zmq():
        pytest.skip("this PHP has no extension zmq (Debian: php-zmq)")
    assert run_php(code, {"options": options}, command=interpreter("ext-zmq")).only == "ExtZmqTransport"


def test_a_name_with_several_addresses_is_tried_at_each() -> None:
    # Debian's /etc/hosts gives localhost both ::1 and 127.0.0.1; the double listens on the second alone.
    with RouterDouble() as server:
        options = {"endpoint": f"tcp://localhost:{server.port}", "transport": "stream", "timeout_ms": 20_000}
        code = "say((new Publisher($options))->push('v1.test.1', new SimpleMessage('t')));"
        with Php(code, {"options": options}) as php:
            assert php.finish().only == "epoch:1"
