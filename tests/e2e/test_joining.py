import pytest

from tests.gateway import BACKEND_SECRET, TICKET, Deployment, wait_for
from tests.wamp import Aborted, Closed

DENIED = ("io.virge.stork.denied", {"message": "the ticket was refused"})
EXPIRED = ("io.virge.stork.expired", {"message": "the ticket has expired"})


def test_the_shipped_application_takes_its_ticket_and_the_authid_asked_for(shipped):
    with shipped.nodes[0].join(TICKET, "joe") as joe, shipped.nodes[0].join(TICKET) as guest:
        assert joe.welcome["authid"] == "joe"
        assert joe.welcome["authrole"] == "frontend"
        assert guest.welcome["authid"] == "guest"


def test_welcome_tells_nothing_of_the_nodes_insides(shipped):
    with shipped.nodes[0].join() as client:
        assert sorted(client.welcome) == ["authid", "authmethod", "authprovider", "authrole", "realm", "roles"]
        assert "x_cb" not in str(client.welcome)


@pytest.mark.parametrize("ticket", ["wrong", "", "ä" * 100, TICKET + "x"])
def test_a_wrong_ticket_is_denied_for_good(shipped, ticket):
    with shipped.nodes[0].connect() as client:
        with pytest.raises(Aborted) as refusal:
            client.join(ticket)
        assert (refusal.value.uri, refusal.value.details) == DENIED


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('[1,"realm1",{"authmethods":["ticket"],"authid":"\\ud800"}]', 1007),
        ('[1,"realm1",{"authmethods":["ticket"],"authextra":' + "[" * 450 + "]" * 450 + "}]", 1007),
        ('[1,"realm1",' + "[" * 60_000, 1007),
        ('[1,"realm1",{"authmethods":["ticket"],"authid":"' + "a" * 100_000 + '"}]', 1009),
    ],
)
def test_what_the_parsers_break_on_is_cut_before_it_reaches_them(shipped, message, code):
    with shipped.nodes[0].connect() as client:
        client.send_text(message)
        with pytest.raises(Closed) as closed:
            client.receive()
        assert closed.value.code == code
    with shipped.nodes[0].join() as client:
        assert client.call("virge.stork.example.foo", name="x") == {"bar": "x"}


def test_after_a_refusal_the_connection_is_closed(shipped):
    with shipped.nodes[0].connect() as client:
        with pytest.raises(Aborted):
            client.join("wrong")
        with pytest.raises(Closed):
            client.receive()


def test_a_node_that_is_stopped_closes_with_1012_and_no_goodbye(tmp_path):
    with Deployment(tmp_path) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        clients = [node.join() for _ in range(20)]
        assert node.stop() == 0
        for client in clients:
            with pytest.raises(Closed) as closed:
                client.receive()
            assert closed.value.code == 1012
            client.close()


def test_without_a_ticket_nobody_joins(shipped):
    with shipped.nodes[0].connect() as client, pytest.raises(Aborted):
        client.join()


def test_anonymous_and_unknown_methods_do_not_join(shipped):
    for method in ("anonymous", "scram", "cookie"):
        with shipped.nodes[0].connect() as client, pytest.raises(Aborted):
            client.join(authmethods=[method])


def test_another_realm_does_not_exist(shipped):
    with shipped.nodes[0].connect() as client, pytest.raises(Aborted):
        client.join(TICKET, realm="realm2")


def test_a_principals_extra_reaches_the_client_its_private_data_does_not(node):
    with node.join("user:joe") as client:
        assert client.welcome["authextra"] == {"greeting": "hello joe"}
        assert "groups" not in str(client.welcome)


def test_the_authenticator_sees_address_headers_and_cookies(node):
    # Two headers, as a proxy between HTTP/2 and HTTP/1.1 may leave them.
    headers = [("User-Agent", "test/1"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    with node.connect(headers=headers) as client:
        client.join("from:joe")
        assert client.welcome["authextra"] == {
            "address": "127.0.0.1",
            "agent": "test/1",
            "cookie": {"a": "1", "b": "2"},
        }


@pytest.mark.parametrize("ticket", ["old", "past"])
def test_an_expired_ticket_is_told_apart_so_that_a_new_one_is_fetched(node, ticket):
    with node.connect() as client:
        with pytest.raises(Aborted) as refusal:
            client.join(ticket)
        assert (refusal.value.uri, refusal.value.details) == EXPIRED


@pytest.mark.parametrize("ticket", ["raise", "nonsense", "nothing", "role:backend", "role:trusted", "hang"])
def test_an_application_at_fault_closes_with_1013_and_no_abort(node, ticket):
    with node.connect() as client:
        with pytest.raises(Closed) as closed:
            client.join(ticket)
        assert (closed.value.code, closed.value.reason) == (1013, "try again later")
    if ticket == "raise":
        node.wait_for_line("text of the exception")


def test_a_session_whose_time_is_over_is_closed_with_4001_and_no_goodbye(node):
    with node.join("lives:0.5") as client:
        with pytest.raises(Closed) as closed:
            client.receive()
        assert (closed.value.code, closed.value.reason) == (4001, "session expired")


def test_a_backend_joins_with_the_secret(shipped):
    with shipped.nodes[0].backend() as backend:
        assert backend.welcome["authrole"] == "backend"
        assert backend.call("wamp.session.count") >= 1


@pytest.mark.parametrize(
    ("authid", "secret"), [("backend", "wrong"), ("backend", ""), ("root", BACKEND_SECRET), ("", BACKEND_SECRET)]
)
def test_nobody_becomes_backend_with_another_secret_or_name(shipped, authid, secret):
    with shipped.nodes[0].connect() as client, pytest.raises(Aborted):
        client.join(authid=authid, secret=secret)


def test_a_client_that_leaves_while_it_is_authenticated_disturbs_nobody(node):
    for _ in range(3):
        client = node.connect()
        client.send(1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})
        client.receive()
        client.send(5, "hang", {})
        client.close()
    with node.join("user:joe") as client:
        assert client.session_id


def test_a_second_authenticate_or_hello_cuts_the_client(node):
    hello = (1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})
    with node.backend() as backend:
        before = backend.call("wamp.session.count")
        for messages in ([(5, "user:joe", {})] * 2, [hello], [(5, "user:joe", {}), hello]):
            with node.connect() as client:
                client.send(*hello)
                assert client.receive()[0] == 4
                for message in messages:
                    client.send(*message)
                with pytest.raises(Closed):
                    client.receive_all()
        wait_for(lambda: backend.call("wamp.session.count") == before, "the end of these sessions")


def test_a_connection_is_closed_after_goodbye(node):
    with node.join("user:joe") as client:
        client.send(6, {}, "wamp.close.close_realm")
        assert client.receive()[0] == 6
        with pytest.raises(Closed) as closed:
            client.receive()
        assert closed.value.code == 1000
