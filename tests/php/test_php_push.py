"""The documents that the PHP client sends, and its reading of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from php_process import interpreter, run_php
from router_double import Arrival, RouterDouble, accept

PUSHER = "$publisher = new Publisher($options);\n"


def push(transport: str, endpoint: str, code: str, **args: Any) -> Any:
    """Runs PHP with a `$publisher`; gives what its one say() said."""
    options = {"endpoint": endpoint, "transport": transport, "timeout_ms": args.pop("timeout_ms", 20_000)}
    return run_php(PUSHER + code, {"options": options, **args}, command=interpreter(transport)).only


def test_a_push_gives_its_position(transport: str, server: RouterDouble) -> None:
    said = push(
        transport,
        server.endpoint,
        "say($publisher->push('v1.orders.42', new SimpleMessage('order_paid', ['id' => 42])));",
    )
    assert said == "epoch:1"
    (document,) = server.documents
    assert len(document.pop("id")) == 32
    assert document == {"topics": ["v1.orders.42"], "type": "order_paid", "data": {"id": 42}}


def test_the_static_class_pushes_a_message_class_as_the_original_did(transport: str, server: RouterDouble) -> None:
    said = run_php(
        """
        class OrderPaid extends Message
        {
            const TYPE = 'order_paid';
            private $id;
            public function __construct($id) { $this->id = $id; }
            public function getData() { return ['id' => $this->id]; }
        }
        Stork::configure($options);
        say(Stork::push(['v1.orders.42', 'v1.user.7'], new OrderPaid(42)));
        """,
        {"options": {"endpoint": server.endpoint, "transport": transport}},
        command=interpreter(transport),
    )
    assert said.only == "epoch:1"
    assert server.documents[0]["topics"] == ["v1.orders.42", "v1.user.7"]
    assert (server.documents[0]["type"], server.documents[0]["data"]) == ("order_paid", {"id": 42})


def test_a_message_class_written_for_virge_stork_needs_only_another_parent(server: RouterDouble) -> None:
    push(
        "stream",
        server.endpoint,
        """
        class MyMessage extends Message {
            const MESSAGE_TYPE = 'my_message';
            public function getTimestamp() { return new DateTime('2026-01-02T03:04:05.678+02:00'); }
            public function getData() { return ['foo' => 'bar']; }
        }
        say($publisher->push('v1.test.1', new MyMessage()));
        """,
    )
    (document,) = server.documents
    assert (document["type"], document["data"], document["timestamp"]) == (
        "my_message",
        {"foo": "bar"},
        "2026-01-02T01:04:05.678Z",
    )


def test_every_option_travels(transport: str, server: RouterDouble) -> None:
    push(
        transport,
        server.endpoint,
        """
        say($publisher->push('v1.test.1', new SimpleMessage('typing'), [
            'id' => 'mine',
            'exclude' => [9007199254740992, 3],
            'store' => false,
            'timestamp' => '2026-01-02T03:04:05Z',
        ]));
        """,
    )
    assert server.documents == [
        {
            "topics": ["v1.test.1"],
            "type": "typing",
            "data": None,
            "timestamp": "2026-01-02T03:04:05Z",
            "id": "mine",
            "exclude": [9007199254740992, 3],
            "store": False,
        }
    ]


@pytest.mark.parametrize(
    ("php", "written"),
    [
        ("0.1 + 0.2", "0.30000000000000004"),
        ("0.1", "0.1"),
        ("1.0", "1.0"),
        ("'a/b é 🦢'", '"a/b é 🦢"'),
        ("PHP_INT_MAX", "9223372036854775807"),
        ("[]", "[]"),
        ("new stdClass", "{}"),
        ("null", "null"),
        ("0", "0"),
        ("false", "false"),
        ("['a' => ['b' => [1, 2]]]", '{"a":{"b":[1,2]}}'),
    ],
)
def test_data_is_written_as_json_means_it(server: RouterDouble, php: str, written: str) -> None:
    push(
        "stream",
        server.endpoint,
        f"ini_set('serialize_precision', '17'); say($publisher->push('v1.test.1', new SimpleMessage('t', {php})));",
    )
    assert f'"data":{written},'.encode() in server.arrivals[0].frames[0]


def test_json_text_travels_as_the_bytes_that_were_given(server: RouterDouble) -> None:
    text = '{"big": 18446744073709551615,  "same": 1.50, "e": 1e3, "\\u00e9": "\\/"}'
    push(
        "stream", server.endpoint, "say($publisher->push('v1.test.1', new JsonMessage('t', $args['text'])));", text=text
    )
    assert f'"data":{text},'.encode() in server.arrivals[0].frames[0]


@pytest.mark.parametrize("size", [100, 200, 255, 256, 300, 65_535, 70_000, 1_048_000])
def test_data_of_every_size_arrives_whole(transport: str, server: RouterDouble, size: int) -> None:
    said = push(
        transport, server.endpoint, f"say($publisher->push('v1.t.1', new SimpleMessage('t', str_repeat('x', {size}))));"
    )
    assert said == "epoch:1"
    assert server.documents[0]["data"] == "x" * size


def test_a_push_of_1_mib_arrives_and_one_byte_more_is_refused_unsent(server: RouterDouble) -> None:
    said = push(
        "stream",
        server.endpoint,
        """
        $bare = strlen('{"topics":["v1.t.1"],"type":"t","data":"","id":"i"}');
        $push = fn ($extra) => attempt(fn () => $publisher->push(
            'v1.t.1', new SimpleMessage('t', str_repeat('x', 1048576 - $bare + $extra)), ['id' => 'i']));
        say([$push(0), $push(1)]);
        """,
    )
    assert said[0] == {"result": "epoch:1"}
    assert said[1]["thrown"] == "InvalidPush"
    assert said[1]["message"] == "the push has 1048577 bytes as JSON; at most 1048576 (1 MiB) can be sent"
    assert [len(arrival.frames[0]) for arrival in server.arrivals] == [1_048_576]


def test_every_push_has_an_id_of_its_own_on_one_connection(transport: str, server: RouterDouble) -> None:
    code = """
    for ($i = 0; $i < 50; $i++) { $positions[] = $publisher->push('v1.test.1', new SimpleMessage('t')); }
    say($positions);
    """
    assert push(transport, server.endpoint, code) == [f"epoch:{n}" for n in range(1, 51)]
    assert len({document["id"] for document in server.documents}) == 50
    assert len({arrival.peer for arrival in server.arrivals}) == 1


def test_an_id_of_digits_only_is_as_good_as_any(transport: str, server: RouterDouble) -> None:
    code = """
    $push = fn ($id) => ['v1.test.1', new SimpleMessage('t'), ['id' => $id]];
    $answers = [$publisher->push(...$push('42')), ...$publisher->pushMany([$push('42'), $push('007'), $push('-1')])];
    say(array_map('strval', $answers));
    """
    assert push(transport, server.endpoint, code) == ["epoch:1", "epoch:1", "epoch:2", "epoch:3"]
    assert [document["id"] for document in server.documents] == ["42", "42", "007", "-1"]


def test_a_duplicate_is_flagged_and_has_the_first_position(transport: str, server: RouterDouble) -> None:
    code = """
    $answers = $publisher->pushMany([
        ['v1.test.1', new SimpleMessage('t'), ['id' => 'a']],
        ['v1.test.1', new SimpleMessage('t'), ['id' => 'b']],
    ]);
    $again = $publisher->pushMany([['v1.test.1', new SimpleMessage('t'), ['id' => 'a']]]);
    say(array_map(fn (Answer $answer) => [$answer->position, $answer->duplicate], [...$answers, ...$again]));
    """
    assert push(transport, server.endpoint, code) == [["epoch:1", False], ["epoch:2", False], ["epoch:1", True]]


def test_warnings_are_told_once(transport: str, server: RouterDouble) -> None:
    code = """
    $told = [];
    $publisher = new Publisher([
        ...$options,
        'warn' => function (string $sentence) use (&$told): void { $told[] = $sentence; },
    ]);
    foreach (['v1.oders.1', 'v1.oders.1', 'v1.test.1'] as $topic) {
        $publisher->push($topic, new SimpleMessage('t', 2 ** 53 + 1));
    }
    [$answer] = $publisher->pushMany([['v1.oders.1', new SimpleMessage('t')]]);
    say([$told, $answer->warning]);
    """
    server.undeclared["v1.oders.1"] = "nobody can get it"
    rounded = "JavaScript rounds integers beyond 2^53, so send it as a string"
    assert push(transport, server.endpoint, code) == [
        [f"a push holds the integer 9007199254740993: {rounded}", "nobody can get it"],
        "nobody can get it",
    ]


def test_the_position_is_asked_for_between_pushes(transport: str, server: RouterDouble) -> None:
    code = """
    $first = $publisher->position();
    $publisher->push('v1.test.1', new SimpleMessage('t'));
    say([$first, $publisher->position()]);
    """
    assert push(transport, server.endpoint, code) == ["epoch:0", "epoch:1"]


def refuse(error: str, *, with_id: bool) -> Any:
    """Refuses the pushes of type `bad`, and accepts the others."""

    def respond(server: RouterDouble, arrival: Arrival) -> None:
        document = arrival.document
        if document.get("type") == "bad":
            answer_id = document["id"] if with_id else None
            server.reply(
                arrival.peer, {"ok": False, "id": answer_id, "error": error, "reason": "topics[0] is not a topic"}
            )
        else:
            accept(server, arrival)

    return respond


@pytest.mark.parametrize("error", ["invalid_push", "storage_failed"])
@pytest.mark.parametrize("with_id", [True, False])
def test_a_refusal_is_thrown_with_error_and_reason_and_the_next_push_works(
    transport: str, error: str, with_id: bool
) -> None:
    with RouterDouble(refuse(error, with_id=with_id)) as server:
        said = push(
            transport,
            server.endpoint,
            """
            say([
                attempt(fn () => $publisher->push('v1', new SimpleMessage('bad'), ['id' => 'i'])),
                attempt(fn () => $publisher->push('v1.test.1', new SimpleMessage('good'))),
            ]);
            """,
        )
        assert len(server.documents) == 2
    refused, good = said
    assert (refused["thrown"], refused["error"], refused["reason"]) == (
        "PushRefused",
        error,
        "topics[0] is not a topic",
    )
    assert refused["message"] == f"push refused ({error}): topics[0] is not a topic"
    assert (refused["id"], refused["index"]) == ("i", 0)
    assert good == {"result": "epoch:1"}


def test_a_refusal_without_an_id_is_not_taken_for_the_next_pushs(transport: str) -> None:
    with RouterDouble(refuse("invalid_push", with_id=False)) as server:
        said = push(
            transport,
            server.endpoint,
            """
            $publisher->send('v1', new SimpleMessage('bad'));
            say([$publisher->push('v1.test.1', new SimpleMessage('good')), $publisher->position()]);
            """,
        )
    assert said == ["epoch:1", "epoch:1"]


def test_push_many_is_in_order_and_one_round_trip(transport: str) -> None:
    waiting: list[Arrival] = []

    def answer_when_all_are_there(server: RouterDouble, arrival: Arrival) -> None:
        waiting.append(arrival)
        if len(waiting) == 400:
            for each in waiting:
                accept(server, each)

    with RouterDouble(answer_when_all_are_there) as server:
        said = push(
            transport,
            server.endpoint,
            """
            $pushes = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', $i)], range(0, 399));
            say(array_map('strval', $publisher->pushMany($pushes)));
            """,
        )
        assert said == [f"epoch:{n}" for n in range(1, 401)]
        assert [document["data"] for document in server.documents] == list(range(400))


def test_push_many_takes_more_than_a_default_high_water_mark(transport: str, server: RouterDouble) -> None:
    code = """
    $pushes = (function () { for ($i = 0; $i < 5000; $i++) { yield ['v1.test.1', new SimpleMessage('t', $i)]; } })();
    say(array_map('strval', $publisher->pushMany($pushes)));
    """
    assert push(transport, server.endpoint, code) == [f"epoch:{n}" for n in range(1, 5001)]
    assert [document["data"] for document in server.documents] == list(range(5000))


def test_push_many_of_long_pushes_does_not_stall(transport: str, server: RouterDouble) -> None:
    code = """
    $pushes = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', str_repeat('x', 300000))], range(0, 39));
    say(count($publisher->pushMany($pushes)));
    """
    assert push(transport, server.endpoint, code) == 40
    assert {len(document["data"]) for document in server.documents} == {300_000}


def test_push_many_of_nothing_is_nothing(server: RouterDouble) -> None:
    assert push("stream", server.endpoint, "say($publisher->pushMany([]));") == []
    assert server.documents == []


def test_push_many_names_the_refused_push_and_keeps_the_other_answers(transport: str) -> None:
    with RouterDouble(refuse("invalid_push", with_id=False)) as server:
        said = push(
            transport,
            server.endpoint,
            """
            try {
                $push = fn ($type) => ['v1.test.1', new SimpleMessage($type)];
                $publisher->pushMany([$push('good'), $push('bad'), $push('good')]);
            } catch (PushRefused $refused) {
                $answers = array_map(fn ($answer) => [$answer->position, $answer->error], $refused->answers);
                say([$refused->index, $answers]);
            }
            """,
        )
    assert said == [1, [["epoch:1", None], [None, "invalid_push"], ["epoch:2", None]]]


def test_the_same_id_twice_in_one_call_is_a_mistake(server: RouterDouble) -> None:
    push_a = "['v1.test.1', new SimpleMessage('t'), ['id' => 'a']]"
    said = push("stream", server.endpoint, f"say(attempt(fn () => $publisher->pushMany([{push_a}, {push_a}])));")
    assert said["message"] == "the id 'a' is used twice in one call"
    assert server.documents == []


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_sent_push_arrives_though_the_process_ends_at_once(transport: str, server: RouterDouble, size: int) -> None:
    code = f"$publisher->send('v1.test.1', new SimpleMessage('t', str_repeat('x', {size}))); say(true); exit(0);"
    assert push(transport, server.endpoint, code) is True
    server.wait_for(1)
    assert len(server.documents[0]["data"]) == size


def test_thousands_of_sent_pushes_arrive_though_nobody_reads_their_answers(
    transport: str, server: RouterDouble
) -> None:
    # Closing a socket with unread answers sends RST, which can undo what the peer has not read.
    code = "for ($i = 0; $i < 4000; $i++) { $publisher->send('v1.test.1', new SimpleMessage('t', $i)); } say(true);"
    assert push(transport, server.endpoint, code) is True
    server.wait_for(4000)
    assert [document["data"] for document in server.documents] == list(range(4000))


def test_push_and_send_of_one_publisher_arrive_in_the_order_of_the_calls(transport: str, server: RouterDouble) -> None:
    code = """
    for ($i = 0; $i < 100; $i++) {
        $message = new SimpleMessage('t', $i);
        $i % 3 ? $publisher->send('v1.test.1', $message) : $publisher->push('v1.test.1', $message);
    }
    say($publisher->push('v1.test.1', new SimpleMessage('t', 100)));
    """
    assert push(transport, server.endpoint, code) == "epoch:101"
    assert [document["data"] for document in server.documents] == list(range(101))


def test_a_worker_that_pushes_for_long_does_not_grow(transport: str, server: RouterDouble) -> None:
    code = """
    $push = function ($n) use ($publisher) {
        for ($i = 0; $i < $n; $i++) {
            $publisher->push('v1.test.1', new SimpleMessage('t'));
            $publisher->send('v1.test.1', new SimpleMessage('t'));
        }
    };
    $push(100);
    $before = memory_get_usage();
    $push(1500);
    say(memory_get_usage() - $before);
    """
    assert push(transport, server.endpoint, code) < 20_000


def test_an_answer_with_more_members_than_known_is_an_answer(server: RouterDouble) -> None:
    def respond(double: RouterDouble, arrival: Arrival) -> None:
        double.reply(arrival.peer, json.dumps({**double.store(arrival.document), "node": "a", "took_ms": 0.1}).encode())

    server.respond = respond
    assert push("stream", server.endpoint, "say($publisher->push('v1.test.1', new SimpleMessage('t')));") == "epoch:1"
