from stork_node.launcher.child_environ import publish_server_environ


def test_the_publish_server_gets_neither_ticket_nor_the_backends_secret():
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "/x",
        "STORK_BUS_SECRET": "bus",
        "STORK_DATA": "/data",
        "STORK_TICKET": "ticket",
        "CROSSBAR_BACKEND_SECRET": "backend",
        "DATABASE_URL": "postgres://user:password@host",
    }
    given = publish_server_environ(["publish-server"], environ)
    assert sorted(given) == ["LC_ALL", "PATH", "PYTHONPATH", "STORK_BUS_SECRET", "STORK_DATA"]


def test_the_publish_server_gets_what_its_arguments_name():
    environ = {"MY_PORT": "1", "OTHER_PORT": "2", "X": "3"}
    arguments = ["publish-server", "--pull", "tcp://${HOST:-127.0.0.1}:${MY_PORT}", "--pub=tcp://h:${OTHER_PORT:-5}"]
    assert publish_server_environ(arguments, environ) == {"MY_PORT": "1", "OTHER_PORT": "2"}


def test_the_publish_server_gets_what_its_webhooks_name():
    webhooks = '[{"url": "https://a.example", "secret": "${HOOK_SECRET}"}]'
    given = publish_server_environ(["publish-server", webhooks], {"HOOK_SECRET": "s", "X": "3"})
    assert given == {"HOOK_SECRET": "s"}
