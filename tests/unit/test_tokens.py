"""JSON Web Tokens as tickets: what lets in, what is expired, and what is refused for good."""

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from stork_node.application.grants import Grants
from stork_node.application.values import Deny, Principal
from stork_node.tokens.checking import UNKNOWN_KEY, TokenChecker, looks_like_token, unknown_key
from stork_node.tokens.claims import Bearer, ClaimRules
from stork_node.tokens.keys import VerifyingKey, read_jwks
from tests.tokens import SECRET, SigningKey, jwks, sign

NOW = 1_800_000_000.0
RSA, EC = SigningKey("RS256", "r1"), SigningKey("ES256", "e1")


def checker(*keys, **rules):
    return TokenChecker(ClaimRules(**rules), keys or (VerifyingKey.read(SECRET),))


def check(token, *keys, now=NOW, **rules):
    return checker(*keys, **rules).check(token, now)


def encode(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def sign_text(payload, header=None):
    """A rightly signed token with any bytes as claims."""
    return jwt.PyJWS().encode(payload, SECRET, "HS256", headers=header)


def reason(decision):
    assert isinstance(decision, Deny)
    assert not decision.retry
    return decision.reason


def test_a_token_names_its_bearer_its_topics_and_its_end():
    token = sign(sub="ann", exp=NOW + 60, iat=NOW - 5, topics=["v1.orders.42", "v1.news.*"], groups=[7])
    private = {"topics": ["v1.orders.42", "v1.news.*"], "groups": [7]}
    grants = Grants(frozenset(["v1.orders.42"]), frozenset(["v1.news"]))
    assert check(token) == Bearer(Principal("ann", private=private, expires_at=NOW + 60), grants, NOW - 5)


@pytest.mark.parametrize(
    ("token", "user"),
    [
        (sign(sub="ann", exp=NOW - 60), "ann"),
        (sign(sub=42)[:-4], "42"),
        (sign(sub=True), ""),
        (sign_text(b"[1]"), ""),
        (sign_text(b"{"), ""),
        ("a.b.c", ""),
    ],
)
def test_a_refused_token_may_name_a_user(token, user):
    assert checker().claimed_user(token) == user


@pytest.mark.parametrize(("sub", "authid"), [(42, "42"), ("x" * 128, "x" * 128), ("Ann Lee", "Ann Lee"), (0, "0")])
def test_a_user_is_text_or_an_integer(sub, authid):
    assert check(sign_text(json.dumps({"sub": sub}).encode())).principal == Principal(authid)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": None}, "the token's sub is missing"),
        ({"sub": ""}, "the token's sub has 0 characters, want 1 to 128"),
        ({"sub": "x" * 129}, "the token's sub has 129 characters, want 1 to 128"),
        ({"sub": True}, "the token's sub is of type bool, want text or an integer"),
        ({"sub": 1.5}, "the token's sub is of type float, want text or an integer"),
        ({"sub": ["a"]}, "the token's sub is of type list, want text or an integer"),
        ({"exp": "soon"}, "the token's exp is of type str, want Unix time in seconds"),
        ({"exp": True}, "the token's exp is of type bool, want Unix time in seconds"),
        ({"exp": 10**400}, "the token's exp is no such time, want Unix time in seconds"),
        ({"exp": (NOW + 60) * 1000}, "the token's exp is no such time, want Unix time in seconds"),
        ({"nbf": [1]}, "the token's nbf is of type list, want Unix time in seconds"),
        ({"iat": {}}, "the token's iat is of type dict, want Unix time in seconds"),
        ({"nbf": NOW + 31}, "the token's nbf is 31 s ahead"),
        ({"iat": NOW + 31}, "the token's iat is 31 s ahead"),
        ({"topics": "v1.orders.42"}, "the token's topics is of type str, want a list of topics"),
        ({"topics": {"v1.orders.42": True}}, "the token's topics is of type dict, want a list of topics"),
        ({"topics": [42]}, "the token's topics[0] is of type int, want a topic"),
        ({"topics": ["v1.a.b", "*"]}, "the token's topics[1] is '*', want v1.orders.42 or v1.orders.*"),
        ({"topics": ["v1.*.42"]}, "the token's topics[0] is 'v1.*.42', want v1.orders.42 or v1.orders.*"),
        ({"topics": ["v1.orders.4*"]}, "the token's topics[0] is 'v1.orders.4*', want v1.orders.42 or v1.orders.*"),
        ({"aud": 7}, "the token's aud is neither text nor a list of texts"),
        ({"big": 2**70}, "is beyond the integers"),
        ({"bad": "\ud800"}, "the token's private"),
    ],
)
def test_a_wrong_claim_is_a_refusal_for_good(claims, said):
    whole = {"sub": "ann", "exp": NOW + 60, **claims}
    payload = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
    assert said in reason(check(sign_text(payload)))


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b"1", b"null", b"NaN"])
def test_claims_that_are_no_object_are_refused(payload):
    assert reason(check(sign_text(payload))).startswith("the token's claims are not")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_time_that_is_no_number_is_refused(value):
    assert "exp is no such time" in reason(check(sign_text(f'{{"sub": "a", "exp": {value}}}'.encode())))


@pytest.mark.parametrize(
    ("exp", "ends_at"), [(NOW + 1, NOW + 1), (NOW, NOW + 30), (NOW - 29, NOW + 1), (None, None), (NOW + 0.5, NOW + 0.5)]
)
def test_a_session_ends_with_its_token_or_with_the_leeway(exp, ends_at):
    assert check(sign(exp=exp)).principal.expires_at == ends_at


@pytest.mark.parametrize("exp", [NOW - 30, NOW - 3600, 0, -5])
def test_an_expired_token_is_told_apart(exp):
    decision = check(sign(exp=exp))
    assert (decision.retry, decision.reason) == (True, f"the token expired {NOW - exp:.0f} s ago")


@pytest.mark.parametrize("claims", [{"nbf": NOW + 29}, {"iat": NOW + 29}, {"nbf": NOW - 1, "iat": NOW - 1}])
def test_clocks_may_differ_by_the_leeway(claims):
    assert isinstance(check(sign(exp=NOW + 60, **claims)), Bearer)


def test_the_leeway_can_be_set():
    assert check(sign(exp=NOW - 29), leeway_s=0.0).retry


@pytest.mark.parametrize(
    ("rules", "claims", "said"),
    [
        ({"issuer": "https://a"}, {}, "the token's iss is missing, want 'https://a'"),
        ({"issuer": "https://a"}, {"iss": "https://b"}, "the token's iss is 'https://b', want 'https://a'"),
        ({"issuer": "https://a"}, {"iss": ["https://a"]}, "the token's iss is ['https://a'], want 'https://a'"),
        ({"audiences": ("stork",)}, {}, "the token's aud is missing, want 'stork'"),
        ({"audiences": ("stork", "s2")}, {"aud": "shop"}, "the token's aud is 'shop', want 'stork' or 's2'"),
        ({"audiences": ("stork",)}, {"aud": ["shop", "stork2"]}, "aud is ['shop', 'stork2'], want 'stork'"),
    ],
)
def test_issuer_and_audience_must_be_right_where_they_are_set(rules, claims, said):
    token = sign_text(json.dumps({"sub": "ann", **claims}).encode())
    assert said in reason(check(token, **rules))


@pytest.mark.parametrize("claims", [{"aud": "stork"}, {"aud": ["shop", "stork"]}])
def test_one_right_audience_is_enough(claims):
    assert isinstance(
        check(sign(exp=NOW + 9, iss="https://a", **claims), issuer="https://a", audiences=("stork",)), Bearer
    )


@pytest.mark.parametrize(
    ("rules", "claims", "authid", "topics"),
    [
        ({"topics": "channels"}, {"channels": ["v1.a.b"]}, "ann", ("v1.a.b",)),
        ({"topics": "channels"}, {"topics": ["v1.a.b"]}, "ann", ()),
        ({"topics": "mercure.subscribe"}, {"mercure": {"subscribe": ["v1.a.*"], "publish": []}}, "ann", ("v1.a.*",)),
        ({"topics": "mercure.subscribe"}, {"mercure": ["v1.a.b"]}, "ann", ()),
        ({"topics": "https://example.com/topics"}, {"https://example.com/topics": ["v1.a.b"]}, "ann", ("v1.a.b",)),
        ({"sub": "user.id"}, {"user": {"id": 7}}, "7", ()),
    ],
)
def test_claims_may_have_other_names(rules, claims, authid, topics):
    bearer = check(sign_text(json.dumps({"sub": "ann", **claims}).encode()), **rules)
    assert (bearer.principal.authid, tuple(bearer.grants.to_wire())) == (authid, topics)


def test_a_large_token_is_read():
    token = sign(exp=NOW + 60, topics=[f"v1.orders.{n}" for n in range(400)])
    assert 8_000 < len(token) < 16_000
    assert len(check(token).grants.topics) == 400


def test_a_token_for_another_key_is_refused():
    assert reason(check(sign("another secret of 32 bytes or more"))) == "the token's signature is wrong"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS384"},
        {"alg": "RS512"},
        {"alg": ""},
        {"alg": None},
        {"alg": ["HS256"]},
        {},
    ],
)
def test_other_algorithms_are_refused(header):
    for signature in ("", encode(b"x" * 32)):
        token = f"{encode(header)}.{encode({'sub': 'ann'})}.{signature}"
        assert reason(check(token)).startswith("the token's alg is ")


def test_a_public_key_is_no_hs256_secret():
    forged = jwt.PyJWS()
    message = f"{encode({'alg': 'HS256', 'kid': 'r1'})}.{encode({'sub': 'ann'})}"
    signature = jwt.get_algorithm_by_name("HS256").sign(message.encode(), RSA.pem.encode())
    token = f"{message}.{encode(signature)}"
    assert forged.get_unverified_header(token)["alg"] == "HS256"
    assert check(token, VerifyingKey.read(RSA.pem, "r1")) is UNKNOWN_KEY


@pytest.mark.parametrize("extension", [{"crit": ["b64"], "b64": False}, {"crit": ["x"], "x": 1}, {"b64": True}])
def test_a_header_with_critical_extensions_is_refused(extension):
    token = f"{encode({'alg': 'HS256', **extension})}.{encode({'sub': 'ann'})}.{encode(b'x' * 32)}"
    assert isinstance(check(token), Deny)


@pytest.mark.parametrize(
    "token", ["..", "a.b.c", "é.é.é", f"{'e30'}.e30.", "e30.e30.e30", "\ud800..", "=.=.=", "[.[.["]
)
def test_what_is_no_token_is_refused(token):
    assert isinstance(check(token), Deny)


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_the_check(a, b, c):
    assert isinstance(check(f"{a}.{b}.{c}"), Deny)


@given(st.binary(), st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none()))
def test_no_header_and_claims_break_the_check(payload, header):
    token = f"{encode({**header, 'alg': 'HS256'})}.{encode(payload)}.{encode(b'x' * 32)}"
    decision = check(token)
    assert decision is UNKNOWN_KEY or isinstance(decision, Deny)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda each: st.lists(each)))
def test_no_value_of_a_claim_breaks_the_check(value):
    for name in ("sub", "exp", "nbf", "iat", "iss", "aud", "topics", "other"):
        payload = json.dumps({"sub": "ann", name: value}).encode()
        decision = check(sign_text(payload))
        assert isinstance(decision, Deny | Bearer)


@pytest.mark.parametrize("ticket", ["a.b", "a.b.c.d", "", "abc", None, 7, b"a.b.c"])
def test_only_three_parts_with_two_dots_are_a_token(ticket):
    assert not looks_like_token(ticket)
    assert looks_like_token("a.b.c")


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [RSA, EC])
def test_public_keys_in_pem_verify(key):
    assert isinstance(check(key.sign(exp=NOW + 9), VerifyingKey.read(key.pem)), Bearer)
    other = SigningKey(key.alg)
    assert "signature is wrong" in reason(check(other.sign(exp=NOW + 9), VerifyingKey.read(key.pem)))


def test_a_key_of_laravel_verifies():
    secret = bytes(range(32))
    text = "base64:" + base64.b64encode(secret).decode()
    assert isinstance(check(sign(secret, exp=NOW + 9), VerifyingKey.read(text)), Bearer)


def private_pem():
    return RSA.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of(key):
    short = SigningKey("RS256")
    short.private = key
    return short.pem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 31, "an HS256 key of 31 bytes is too short"),
        ("", "an HS256 key of 0 bytes is too short"),
        ("base64:" + base64.b64encode(b"x" * 31).decode(), "an HS256 key of 31 bytes is too short"),
        ("base64:" + "x" * 60 + "!", "base64: is followed by something that is not Base64"),
        (private_pem(), "this is a private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a public key in PEM"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "not a key for RS256 or ES256"),
        (pem_of(rsa.generate_private_key(65537, 1024)), "an RSA key of 1024 bits is too short"),
    ],
)
def test_a_key_that_is_none_or_too_short_is_refused_and_never_quoted(text, said):
    with pytest.raises(ValueError, match=said) as refused:
        VerifyingKey.read(text)
    assert len(text) < 20 or text not in str(refused.value)


def test_kid_picks_the_key():
    keys = (VerifyingKey.read(SECRET, "a"), VerifyingKey.read(SECRET[::-1], "b"))
    assert isinstance(check(sign(headers={"kid": "a"}, exp=NOW + 9), *keys), Bearer)
    assert "signature is wrong" in reason(check(sign(headers={"kid": "b"}, exp=NOW + 9), *keys))
    assert isinstance(check(sign(SECRET[::-1], exp=NOW + 9), *keys), Bearer)
    unknown = sign(headers={"kid": "c"}, exp=NOW + 9)
    assert check(unknown, *keys) is UNKNOWN_KEY
    assert unknown_key(unknown).reason == "no key for HS256 with the kid 'c' verifies the token"


def test_a_key_without_kid_serves_tokens_that_name_one():
    assert isinstance(check(sign(headers={"kid": "a"}, exp=NOW + 9)), Bearer)
    assert check(sign("y" * 32, headers={"kid": "a"}, exp=NOW + 9)) is UNKNOWN_KEY


def test_rotated_keys_replace_those_of_their_source_and_no_others():
    new, tokens = SigningKey("ES256", "e2"), checker(VerifyingKey.read(SECRET))
    assert tokens.check(EC.sign(exp=NOW + 9), NOW) is UNKNOWN_KEY
    tokens.fetched("url", read_jwks(jwks(EC), symmetric=False))
    tokens.fetched("file", read_jwks(jwks(RSA), symmetric=True))
    assert isinstance(tokens.check(EC.sign(exp=NOW + 9), NOW), Bearer)
    tokens.fetched("url", read_jwks(jwks(new), symmetric=False))
    assert tokens.check(EC.sign(exp=NOW + 9), NOW) is UNKNOWN_KEY
    for token in (new.sign(exp=NOW + 9), RSA.sign(exp=NOW + 9), sign(exp=NOW + 9)):
        assert isinstance(tokens.check(token, NOW), Bearer)
    after_reload = checker()
    after_reload.inherit(tokens, {"url"})
    assert isinstance(after_reload.check(new.sign(exp=NOW + 9), NOW), Bearer)
    assert after_reload.check(RSA.sign(exp=NOW + 9), NOW) is UNKNOWN_KEY


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": null}',
        b"<html>",
        b"[" * 100_000,
        b'{"keys": []}',
        b'{"keys": [7]}',
    ],
)
def test_what_is_no_key_set_is_refused(document):
    with pytest.raises(ValueError, match=r"not a JSON Web Key Set|no key here can verify"):
        read_jwks(document, symmetric=True)


def test_keys_of_a_set_for_other_purposes_are_left_out():
    others = [
        {"kty": "oct", "k": encode(SECRET.encode()), "kid": "s"},
        {**RSA.jwk, "use": "enc"},
        {**RSA.jwk, "alg": "RS512"},
        {**RSA.jwk, "kid": 7},
        {**EC.jwk, "crv": "P-999"},
        {**EC.jwk, "alg": "RS256"},
        {"kty": "oct", "k": encode(b"short")},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {**EC.jwk, "d": "AAAA", "kid": "private"},
    ]
    document = json.dumps({"keys": [*others, EC.jwk]})
    assert [key.kid for key in read_jwks(document, symmetric=False)] == ["e1"]
    assert [key.kid for key in read_jwks(document, symmetric=True)] == ["s", "e1"]


def test_a_token_of_now_is_good_now():
    assert isinstance(check(sign(), now=time.time()), Bearer)


@pytest.mark.parametrize(("rules", "name"), [({}, "presence"), ({"presence": "info"}, "info")])
def test_a_claim_says_what_others_see_of_the_user(rules, name):
    assert check(sign(sub="ann", exp=NOW + 60, **{name: {"name": "Ann"}}), **rules).principal.presence == {
        "name": "Ann"
    }
    assert check(sign(sub="ann", exp=NOW + 60), **rules).principal.presence is None
    assert "presence" in reason(check(sign(sub="ann", exp=NOW + 60, **{name: "Ann"}), **rules))
    assert "presence has 5,011 bytes" in reason(
        check(sign(sub="ann", exp=NOW + 60, **{name: {"name": "x" * 5000}}), **rules)
    )
