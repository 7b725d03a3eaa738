"""When the keys of tokens are looked up, and what holds while that fails."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from buyers_words import EC, ED, NEXT_EC, PATIENCE, RSA, SECRET, SHARED, jwt, key_set
from stack import eventually

from seckill_sidecar.adapters.jwt import connect_tokens
from seckill_sidecar.clock import Deadline, ManualClock
from seckill_sidecar.errors import DeadlinePassed, StoreDown, UntrustedToken
from seckill_sidecar.settings.buyers import JwtSettings

ENDLESS = 9_999_999_999


class Bench:
    """Tokens whose issuer can be told what to publish."""

    def __init__(self, **changes: Any) -> None:
        self.clock = ManualClock()
        self.published: bytes = key_set(EC)
        self.looks = 0
        self.held: Event | None = None
        written = {"algorithms": ("ES256",), "keys": "https://login.test/jwks", "refresh": "5m", "retry": "10s"}
        self.tokens = connect_tokens(JwtSettings(**(written | changes)), self._fetch, self.clock)

    def _fetch(self, url: str) -> bytes:
        self.looks += 1
        if self.held is not None:
            self.held.wait(PATIENCE)
        if not self.published:
            raise StoreDown("keys", f"{url} does not answer")
        return self.published

    def buyer(self, token: str, seconds: float = 5.0) -> str:
        return self.tokens.buyer(token, Deadline.after(seconds, self.clock))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def token(key: Any = EC, alg: str = "ES256", **claims: Any) -> str:
    return jwt(key, alg, **({"exp": ENDLESS} | claims))


def test_keys_are_looked_up_when_the_first_token_comes_and_then_known(bench: Bench) -> None:
    assert bench.looks == 0
    assert [bench.buyer(token()) for _ in range(5)] == ["alice"] * 5
    assert bench.looks == 1


def test_a_new_key_is_looked_up_at_once(bench: Bench) -> None:
    bench.buyer(token())
    bench.published = key_set(NEXT_EC, EC)
    bench.clock.advance(10.0)
    assert bench.buyer(token(NEXT_EC)) == "alice"
    assert bench.looks == 2


def test_unknown_keys_have_them_looked_up_once_in_a_while_however_many_there_are(bench: Bench) -> None:
    bench.buyer(token())
    for _ in range(3):
        bench.clock.advance(10.0)
        for _ in range(20):
            with pytest.raises(UntrustedToken, match="not known"):
                bench.buyer(token(NEXT_EC))
    assert bench.looks == 4


def test_a_key_that_is_published_no_more_is_refused_after_a_while(bench: Bench) -> None:
    bench.buyer(token())
    bench.published = key_set(NEXT_EC)
    bench.clock.advance(300.0)
    assert bench.buyer(token()) == "alice", "nobody waits for the look"
    eventually(lambda: refuses(bench, token()), what="the old key is gone")
    assert bench.buyer(token(NEXT_EC)) == "alice"


def refuses(bench: Bench, borne: str) -> bool:
    try:
        bench.buyer(borne)
    except UntrustedToken:
        return True
    return False


def test_a_look_that_fails_leaves_the_old_keys_and_calls_no_new_one_a_forgery(bench: Bench) -> None:
    bench.buyer(token())
    bench.published = b""
    bench.clock.advance(10.0)
    for _ in range(3):
        with pytest.raises(StoreDown, match="nobody knows"):
            bench.buyer(token(NEXT_EC))
        assert bench.buyer(token()) == "alice"
    assert bench.looks == 2
    bench.published = key_set(EC, NEXT_EC)
    bench.clock.advance(10.0)
    assert bench.buyer(token(NEXT_EC)) == "alice"


@pytest.mark.parametrize(
    "published", [b"<html>", b"[]", b'{"keys": 5}', b'{"keys": []}', key_set(RSA), b'{"keys": [5, {}, {"kty": "EC"}]}']
)
def test_what_is_no_set_of_keys_for_the_algorithms_is_a_look_that_failed(bench: Bench, published: bytes) -> None:
    bench.published = published
    with pytest.raises(StoreDown):
        bench.buyer(token())


def test_a_key_that_nobody_can_read_spoils_no_other(bench: Bench) -> None:
    bench.published = key_set(EC).replace(
        b'"keys": [', b'"keys": [{"kty": "EC", "crv": "P-256", "x": 5}, {"kty": "PQ"}, '
    )
    assert bench.buyer(token()) == "alice"


def test_nobody_waits_for_a_look_beyond_the_deadline(bench: Bench) -> None:
    bench.held = Event()
    with pytest.raises(DeadlinePassed):
        bench.buyer(token(), seconds=0.01)
    bench.held.set()
    eventually(lambda: bench.buyer(token()) == "alice", what="the look is over")
    assert bench.looks == 1


def test_a_token_that_names_no_key_is_tried_with_those_there_are(bench: Bench) -> None:
    bench.published = key_set(NEXT_EC, EC)
    assert bench.buyer(token(header={"kid": ""})) == "alice"


def test_a_public_key_may_be_a_file_in_pem(tmp_path: Any) -> None:
    (tmp_path / "key.pem").write_bytes(RSA.as_pem(private=False))
    bench = Bench(algorithms=("RS256", "PS256"), keys=f"file:{tmp_path}/key.pem")
    assert [bench.buyer(token(RSA, alg)) for alg in ("RS256", "PS256")] == ["alice"] * 2


def test_a_file_that_is_away_is_a_look_that_failed(tmp_path: Any) -> None:
    with pytest.raises(StoreDown, match="can't be read"):
        Bench(keys=f"file:{tmp_path}/none.json").buyer(token())


def test_ed25519_and_shared_secrets_serve_as_well() -> None:
    bench = Bench(algorithms=("Ed25519",))
    bench.published = key_set(ED)
    assert bench.buyer(token(ED, "Ed25519")) == "alice"
    assert Bench(algorithms=("HS256", "HS512"), keys=None, secret=SECRET).buyer(token(SHARED, "HS512")) == "alice"


def test_a_published_secret_never_verifies_what_public_keys_sign(bench: Bench) -> None:
    bench.published = key_set(SHARED, EC)
    with pytest.raises(UntrustedToken, match="algorithm"):
        bench.buyer(token(SHARED, "HS256"))


def test_the_buyer_may_be_another_claim() -> None:
    assert Bench(claim="user.id").buyer(token(user={"id": 7})) == "7"
    assert Bench(claim="https://shop.test/id").buyer(token(**{"https://shop.test/id": "bob"})) == "bob"
    with pytest.raises(UntrustedToken, match=r"no user\.id"):
        Bench(claim="user.id").buyer(token(user="bob"))


def test_a_reason_repeats_nothing_that_a_token_says(bench: Bench) -> None:
    for claims in ({"nbf": "hunter"}, {"aud": {"hunter": 1}}, {"exp": "hunter"}, {"sub": ["hunter"]}):
        with pytest.raises(UntrustedToken) as raised:
            bench.buyer(token(**claims))
        assert "hunter" not in str(raised.value)
