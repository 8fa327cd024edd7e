"""The WAMP client, without a socket."""

import subprocess
import sys
from typing import Any

import pytest

from stork_node.clients.credentials import Credentials
from tests.vector_files import vectors


def test_calling_from_a_backend_loads_no_twisted() -> None:
    code = (
        "import sys; import stork_node.clients.caller; "
        "print(sorted({'twisted', 'autobahn', 'crossbar', 'websockets', 'zmq'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (loaded.stdout, loaded.stderr) == ("[]\n", "")


def test_a_missing_websockets_is_one_sentence() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "from stork_node.clients.caller import Caller\n"
        "try: Caller(secret='s').call('a.b')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout == "ConfigError WAMP needs the package websockets: pip install 'stork-node[caller]'\n"


@pytest.mark.parametrize(
    ("credentials", "method"),
    [
        (Credentials(ticket="t"), "ticket"),
        (Credentials(ticket=""), "ticket"),
        (Credentials(ticket="t", secret="s"), "ticket"),
        (Credentials(secret="s"), "wampcra"),
        (Credentials(), "anonymous"),
    ],
)
def test_a_ticket_comes_before_a_secret_and_a_secret_before_nothing(credentials: Credentials, method: str) -> None:
    assert credentials.method == method


@vectors("signatures", "wampcra")
def test_wampcra_signs_as_autobahn_does(case: dict[str, Any]) -> None:
    assert Credentials(secret=case["secret"]).answer("wampcra", case["extra"]) == case["signature"]


@vectors("signatures", "ticket")
def test_a_ticket_is_its_own_signature(case: dict[str, Any]) -> None:
    assert Credentials(ticket=case["ticket"]).answer("ticket", case["extra"]) == case["signature"]


@vectors("signatures", "never_signed")
def test_nothing_is_shown_that_was_not_offered(case: dict[str, Any]) -> None:
    credentials = Credentials(ticket=case.get("ticket"), secret=case.get("secret"))
    with pytest.raises(ValueError, match=f"asked for {case['method']}, which was not offered"):
        credentials.answer(case["method"], {"challenge": "{}"})
