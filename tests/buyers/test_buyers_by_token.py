"""Buyers by tokens, through a running sidecar: who is believed, and every kind of token that is not."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from buyers_site import Answer, BuyersSite
from buyers_words import EC, FOREIGN_RSA, NEXT_EC, OLD_RSA, RSA, SHARED, jwt, questions
from joserfc.jwk import OctKey

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.wire.tokens import BUYER, ORDER, Keyring, SigningKey


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def bear(site: BuyersSite, token: str) -> Answer:
    return site.buy("bearer", Authorization=f"Bearer {token}")


def refused(answer: Answer) -> bool:
    return (answer.status, answer.json["verdict"]) == (401, "unidentified")


# -- who is believed -----------------------------------------------------------------------------------


def test_a_bearer_of_a_token_buys_as_its_sub(site: BuyersSite) -> None:
    assert site.buyer_of(bear(site, jwt())) == "alice"


def test_a_token_may_be_a_cookie_and_its_keys_be_at_a_url(site: BuyersSite) -> None:
    answer = site.buy("cookie", Cookie=f"other=1; token={jwt(EC, 'ES256')}")
    assert site.buyer_of(answer) == "alice"


def test_a_token_may_be_signed_by_a_shared_secret(site: BuyersSite) -> None:
    assert site.buyer_of(site.buy("secret", X_Token=jwt(SHARED, "HS256"))) == "alice"


def test_a_sub_may_be_a_number_as_php_writes_it(site: BuyersSite) -> None:
    assert site.buyer_of(bear(site, jwt(sub=42))) == "42"


def test_clocks_may_differ_a_little(site: BuyersSite) -> None:
    now = int(time.time())
    assert bear(site, jwt(exp=now - 5, nbf=now + 10, iat=now + 10)).status == 201


# -- who is not ----------------------------------------------------------------------------------------


def test_no_token_is_refused(site: BuyersSite) -> None:
    assert refused(site.buy("bearer"))
    assert refused(site.buy("bearer", Authorization="Bearer "))


def test_a_forged_token_is_refused(site: BuyersSite) -> None:
    head, _, signature = jwt().split(".")
    forged = encoded({"sub": "bob", "aud": "shop", "iss": "https://login.test", "exp": 9_999_999_999})
    assert refused(bear(site, f"{head}.{forged}.{signature}"))
    assert refused(bear(site, jwt()[:-8] + "AAAAAAAA"))


def test_an_expired_token_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(exp=int(time.time()) - 600)))


def test_a_token_that_never_expires_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(exp=None)))
    assert refused(bear(site, jwt(exp="tomorrow")))


def test_a_token_that_is_not_yet_valid_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(nbf=int(time.time()) + 600)))


def test_a_token_for_another_audience_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(aud="forum")))
    assert refused(bear(site, jwt(aud=["forum", "blog"])))
    assert refused(bear(site, jwt(aud=None)))
    assert bear(site, jwt(aud=["forum", "shop"])).status == 201


def test_a_token_of_another_issuer_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(iss="https://login.evil.test")))
    assert refused(bear(site, jwt(iss=None)))


def test_a_token_without_a_signature_is_refused(site: BuyersSite) -> None:
    _, claims, signature = jwt().split(".")
    for alg in ("none", "None", "NONE"):
        assert refused(bear(site, f"{encoded({'alg': alg})}.{claims}."))
        assert refused(bear(site, f"{encoded({'alg': alg, 'kid': 'rsa-1'})}.{claims}.{signature}"))


def test_a_public_key_is_no_shared_secret(site: BuyersSite) -> None:
    """The public key is known to all: a token that is signed with it, as if it were HMAC's, proves nothing."""
    head, claims = encoded({"alg": "HS256", "kid": "rsa-1"}), jwt().split(".")[1]
    for public in (RSA.as_pem(private=False), json.dumps(RSA.as_dict(private=False)).encode()):
        mac = Keyring([SigningKey("x", public)])._keys[0].mac(f"{head}.{claims}")
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        assert refused(bear(site, f"{head}.{claims}.{signature}"))


def test_a_token_by_an_algorithm_that_is_not_configured_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(alg="RS512")))
    assert refused(bear(site, jwt(EC, "ES256")))


def test_a_token_signed_by_a_foreign_key_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(FOREIGN_RSA)))
    assert refused(site.buy("secret", X_Token=jwt(OctKey.import_key("some other secret, long enough"), "HS256")))


def test_a_token_signed_by_a_key_that_was_rotated_out_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(OLD_RSA)))


def test_a_key_that_comes_in_the_token_itself_is_not_believed(site: BuyersSite) -> None:
    public = FOREIGN_RSA.as_dict(private=False)
    assert refused(bear(site, jwt(FOREIGN_RSA, header={"jwk": public})))
    assert refused(bear(site, jwt(FOREIGN_RSA, header={"jku": "https://login.evil.test/jwks"})))


def test_unknown_keys_have_the_keys_looked_up_once_however_many_there_are(site: BuyersSite) -> None:
    assert site.buy("cookie", Cookie=f"token={jwt(EC, 'ES256')}").status == 201
    before = len(questions(site.storefront, "/jwks"))
    for number in range(20):
        strange = jwt(NEXT_EC, "ES256", header={"kid": f"made-up-{number}"})
        assert refused(site.buy("cookie", Cookie=f"token={strange}"))
    assert len(questions(site.storefront, "/jwks")) <= before + 1


def test_an_oversized_token_is_refused(site: BuyersSite) -> None:
    assert refused(site.buy("cookie", Cookie=f"token={jwt(EC, 'ES256', padding='x' * 7000)}"))


def test_a_token_without_a_buyer_is_refused(site: BuyersSite) -> None:
    for sub in (None, "", ["alice"], {"id": "alice"}, True):
        assert refused(bear(site, jwt(sub=sub)))


def test_a_buyer_with_an_unclean_or_endless_name_is_refused(site: BuyersSite) -> None:
    assert refused(bear(site, jwt(sub="ali\nce")))
    assert refused(bear(site, jwt(sub="a" * 256)))


def test_what_is_no_token_is_refused(site: BuyersSite) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 1400).rstrip(b"=").decode()
    no_heads = [encoded(value) for value in ("alg", ["alg"], 5, None, {"alg": ["RS256"]}, {"alg": "RS256", "kid": 5})]
    _, claims, signature = jwt().split(".")
    for head in (*no_heads, deep, "", "====", encoded({"alg": "RS256", "crit": ["b64"], "b64": False})):
        assert refused(bear(site, f"{head}.{claims}.{signature}"))
    for token in ("x", "a.b", "a.b.c.d", ".."):
        assert refused(bear(site, token))


# -- tokens of our own ---------------------------------------------------------------------------------


def signed(site: BuyersSite, token: str) -> Answer:
    return site.buy("signed", Cookie=f"seckill_buyer={token}")


def soon() -> float:
    return SystemClock().wall() + 60


def test_a_token_of_ours_names_its_buyer_whichever_of_the_keys_has_signed_it(site: BuyersSite) -> None:
    old = Keyring([SigningKey("old", b"the secret of last year")])
    assert site.buyer_of(signed(site, site.gate.keyring.sign(BUYER, "alice", soon()))) == "alice"
    assert site.buyer_of(signed(site, old.sign(BUYER, "bob", soon()))) == "bob"


def test_a_forged_token_of_ours_is_refused(site: BuyersSite) -> None:
    token = site.gate.keyring.sign(BUYER, "alice", soon())
    forger = Keyring([SigningKey("new", b"a secret that somebody made up")])
    assert refused(signed(site, token[:-1] + ("A" if token[-1] != "A" else "E")))
    assert refused(signed(site, forger.sign(BUYER, "alice", soon())))


def test_an_expired_token_of_ours_is_refused(site: BuyersSite) -> None:
    assert refused(signed(site, site.gate.keyring.sign(BUYER, "alice", SystemClock().wall() - 1)))


def test_a_token_of_ours_that_was_made_for_another_purpose_is_refused(site: BuyersSite) -> None:
    assert refused(signed(site, site.gate.keyring.sign(ORDER, "alice", soon())))


def test_a_token_of_ours_whose_key_was_rotated_out_is_refused(site: BuyersSite) -> None:
    gone = Keyring([SigningKey("gone", b"the secret of the year before")])
    assert refused(signed(site, gone.sign(BUYER, "alice", soon())))
