import hashlib
import hmac

import pytest
import zmq
from zmq.utils import z85

from stork_node.transport.curve import ClientKeys, client_keys, push_key, server_keys


def test_keys_are_derived_as_other_languages_derive_them():
    for keys, label in [
        (server_keys("geheim", "push"), b"stork push server"),
        (client_keys("geheim", "push"), b"stork push client"),
        (server_keys("geheim", "follow"), b"stork follow server"),
        (client_keys("geheim", "follow"), b"stork follow client"),
    ]:
        assert z85.decode(keys.secret) == hmac.new(b"geheim", label, hashlib.sha256).digest()
        assert keys.public == zmq.curve_public(keys.secret)


def test_secrets_are_utf_8_and_give_other_keys_each():
    secrets = ["a", "b", "ä", "\U0001f600" * 100]
    assert len({server_keys(secret, "push") for secret in secrets}) == 4
    assert hmac.new("ä".encode(), b"stork push server", hashlib.sha256).digest() == z85.decode(
        server_keys("ä", "push").secret
    )


def test_a_push_key_holds_what_a_pusher_needs_and_no_more():
    key = push_key("geheim")
    assert len(key) == 80
    assert key == (server_keys("geheim", "push").public + client_keys("geheim", "push").secret).decode()
    assert ClientKeys.from_push_key(key) == ClientKeys.from_secret("geheim", "push")


@pytest.mark.parametrize("text", ["", "x", "é" * 80, " " * 80, push_key("a")[:-1], push_key("a") + "x", '"' * 80])
def test_what_is_not_a_push_key_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"^not a push key") as caught:
        ClientKeys.from_push_key(text)
    assert str(caught.value) == "not a push key (want its 80 characters)"


def test_keys_do_not_show_their_secret_half():
    keys = ClientKeys.from_secret("geheim", "push")
    assert keys.client.secret.decode() not in repr(keys)
    assert keys.client.public.decode() in repr(keys)
