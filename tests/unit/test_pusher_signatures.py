import pytest

from stork_node.pusher.signatures import channel_text, is_authorized, is_signed, sign, user_text
from tests.vector_files import vectors


@vectors("pusher", "channel_signatures")
def test_a_subscription_is_signed(case):
    text = channel_text(case["socket_id"], case["channel"], case.get("channel_data"))
    assert sign(case["secret"], text) == case["signature"]
    assert is_authorized({"key": case["secret"]}, f"key:{case['signature']}", text)


@vectors("pusher", "user_signatures")
def test_a_sign_in_is_signed(case):
    text = user_text(case["socket_id"], case["user_data"])
    assert sign(case["secret"], text) == case["signature"]


SIGNATURE = sign("secret", "1.2:private-a")


@pytest.mark.parametrize(
    "auth",
    [
        None,
        7,
        "",
        "key",
        "key:",
        SIGNATURE,
        f"other:{SIGNATURE}",
        f":{SIGNATURE}",
        f"key:{SIGNATURE.upper()}",
        f"key:{SIGNATURE[:-1]}",
        f"key:{SIGNATURE} ",
        f"key:{SIGNATURE}:",
        "key:ä",
        "key:\ud800",
        f"key:{sign('secret', '1.3:private-a')}",
        f"key:{sign('Secret', '1.2:private-a')}",
    ],
)
def test_anything_else_is_no_signature(auth):
    assert not is_authorized({"key": "secret"}, auth, "1.2:private-a")


def test_each_key_of_an_app_signs_with_its_own_secret():
    secrets = {"old": "one", "new": "two"}
    for key, secret in secrets.items():
        assert is_authorized(secrets, f"{key}:{sign(secret, 'text')}", "text")
    assert not is_authorized(secrets, f"old:{sign('two', 'text')}", "text")


def test_half_of_a_character_has_no_signature():
    assert not is_signed("secret", "1.2:\ud800", SIGNATURE)
