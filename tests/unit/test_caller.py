"""What the WAMP client does without a socket."""

import subprocess
import sys

import pytest

from stork_node.clients.wamp_client import Credentials


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


@pytest.mark.parametrize(
    ("extra", "signature"),
    [
        # autobahn.wamp.auth: compute_wcs("secret", challenge), and with derive_key("secret", "grain", 100, 16)
        ({"challenge": '{"nonce": "x"}'}, "OM8XbaBNYWxfgNLYL5wM95hLMJubT5USlHylOOdep+w="),
        (
            {"challenge": '{"nonce": "x"}', "salt": "grain", "iterations": 100, "keylen": 16},
            "ev1iiHAgDedwwySGUeetBUyHFTaetPR1X1K+fiJwCSc=",
        ),
        ({"challenge": '{"nonce": "x"}', "salt": ""}, "OM8XbaBNYWxfgNLYL5wM95hLMJubT5USlHylOOdep+w="),
    ],
)
def test_wampcra_signs_as_autobahn_does(extra: dict[str, object], signature: str) -> None:
    assert Credentials(secret="secret").answer("wampcra", extra) == signature


def test_a_ticket_is_its_own_signature() -> None:
    assert Credentials(ticket="grün").answer("ticket", {}) == "grün"


@pytest.mark.parametrize(
    ("credentials", "method"),
    [(Credentials(ticket="t"), "wampcra"), (Credentials(secret="s"), "ticket"), (Credentials(), "scram")],
)
def test_nothing_is_shown_that_was_not_offered(credentials: Credentials, method: str) -> None:
    with pytest.raises(ValueError, match=f"asked for {method}, which was not offered"):
        credentials.answer(method, {"challenge": "{}"})
