"""What a process remembers of who is signed in, for how long, and what bounds a question."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from buyers_words import PATIENCE, LegacySite, questions
from stack import eventually
from stack.scripted import Scripted, reply

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.storefront.whoami import StorefrontWhoami
from seckill_sidecar.clock import Deadline, ManualClock
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, StoreDown, TooBusy
from seckill_sidecar.gate.asked import StorefrontsWord
from seckill_sidecar.ports import Fields, Told
from seckill_sidecar.settings.buyers import AskSettings
from seckill_sidecar.settings.schema import BreakerSettings, Timeouts
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.request import Request


class Bench:
    """One process that asks a site, and its clock."""

    def __init__(self, address: tuple[str, int], **changes: Any) -> None:
        self.clock = ManualClock()
        asked = {"path": "/whoami", "read": {"json": "user.id"}, "cookies": ("PHPSESSID",)} | changes
        self.settings = AskSettings(**asked)
        url = f"http://127.0.0.1:{address[1]}"
        self.whoami = StorefrontWhoami(url, self.settings, Timeouts(), 5.0, self.clock)
        self.breaker = StoreBreaker("identity", BreakerSettings(minimum=3), self.clock)
        self.word = StorefrontsWord(self.settings, self.whoami, self.breaker, self.clock, b"secret")

    def who(self, session: str, seconds: float = 3.0, **environ: str) -> str:
        """The buyer of a session, or the status of the refusal."""
        sent = {"REQUEST_METHOD": "POST", "RAW_URI": "/", "HTTP_COOKIE": f"PHPSESSID={session}"} | environ
        try:
            return self.word(Request(dict(sent)), Deadline.after(seconds, self.clock))
        except Refusal as refusal:
            return refusal.verdict.value


@pytest.fixture
def bench(storefront: Scripted) -> Iterator[Bench]:
    bench = Bench(storefront.address)
    yield bench
    bench.whoami.close()


def test_what_was_said_is_remembered_for_its_time_and_no_longer(
    bench: Bench, legacy: LegacySite, storefront: Scripted
) -> None:
    legacy.sessions["s"] = "alice"
    assert bench.who("s") == "alice"
    del legacy.sessions["s"]
    bench.clock.advance(4.9)
    assert bench.who("s") == "alice"
    bench.clock.advance(0.1)
    assert bench.who("s") == "unidentified"
    assert len(questions(storefront)) == 2


def test_that_nobody_is_signed_in_is_remembered_for_a_shorter_time(
    bench: Bench, legacy: LegacySite, storefront: Scripted
) -> None:
    assert [bench.who("s"), bench.who("s")] == ["unidentified"] * 2
    assert len(questions(storefront)) == 1
    legacy.sessions["s"] = "alice"
    bench.clock.advance(1.0)
    assert bench.who("s") == "alice"


def test_a_failure_is_not_remembered(bench: Bench, legacy: LegacySite) -> None:
    legacy.sessions["s"], legacy.says = "alice", lambda _: reply(500, b"broken")
    assert bench.who("s") == "unavailable"
    legacy.says = None
    assert bench.who("s") == "alice"


def test_sessions_that_are_made_up_push_out_nobody_who_is_signed_in(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, remember=3)
    legacy.sessions |= {"a": "alice", "b": "bob", "c": "carol", "d": "dave"}
    assert bench.who("a") == "alice"
    assert {bench.who(f"made-up-{number}") for number in range(10)} == {"unidentified"}
    asked = len(questions(storefront))
    assert bench.who("a") == "alice"
    assert len(questions(storefront)) == asked
    assert [bench.who(session) for session in "bcd"] == ["bob", "carol", "dave"]
    assert bench.who("a") == "alice"  # who came longest ago had to go
    assert len(questions(storefront)) == asked + 4
    bench.whoami.close()


def test_an_open_breaker_asks_nobody_and_says_when_to_come_back(
    bench: Bench, legacy: LegacySite, storefront: Scripted
) -> None:
    legacy.says = lambda _: reply(503, b"busy")
    assert {bench.who(f"s{number}") for number in range(3)} == {"unavailable"}
    assert (bench.breaker.state, len(questions(storefront))) == ("open", 3)
    assert bench.who("s3") == "unavailable"
    assert len(questions(storefront)) == 3
    legacy.says, legacy.sessions["s"] = None, "alice"
    bench.clock.advance(2.0)
    assert bench.who("s") == "alice"


def test_answers_that_a_client_can_bring_about_open_no_breaker(bench: Bench, legacy: LegacySite) -> None:
    legacy.says = lambda _: reply(400, b"what a cookie")
    assert {bench.who(f"s{number}") for number in range(20)} == {"unavailable"}
    assert bench.breaker.state == "closed"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b'{"user": null}', b'{"user": {"id": true}}', b'{"user": {"id": [1]}}', b"<html>",
        b"[" * 9999, b'{"user": {"id": 0}}', b'{"user": {"id": ""}}', b'{"user": {"id": "0"}}', b'{"user": {"id": "ali',
    ],
)  # fmt: skip
def test_json_that_names_nobody_means_nobody(bench: Bench, legacy: LegacySite, body: bytes) -> None:
    legacy.says = lambda _: reply(200, body, "application/json")
    assert bench.who("s") == "unidentified"


def test_a_number_is_a_name(bench: Bench, legacy: LegacySite) -> None:
    legacy.says = lambda _: reply(200, b'{"user": {"id": 42}}', "application/json")
    assert bench.who("s") == "42"


def test_an_answer_in_a_coding_that_nobody_asked_for_is_no_word_of_anybody(bench: Bench, legacy: LegacySite) -> None:
    legacy.says = lambda _: reply(200, b"\x1f\x8b", "application/json", "Content-Encoding: gzip")
    assert bench.who("s") == "unavailable"


def test_a_page_may_escape_a_name(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, path="/whoami/page", read={"page": 'data-user="([^"]*)"'})
    legacy.sessions |= {"s": "a&amp;b", "0": "0"}
    assert [bench.who("s"), bench.who("0"), bench.who("x")] == ["a&b", "unidentified", "unidentified"]
    bench.whoami.close()


def test_a_page_that_would_keep_an_expression_busy_for_ever_does_not(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, path="/whoami/page", read={"page": "(?:a|a|aa)+b(.)"})
    legacy.says = lambda _: reply(200, b"a" * 60_000, "text/html")
    assert bench.who("s") == "unidentified"
    bench.whoami.close()


@pytest.mark.parametrize("value", ["a b\tc", "\xe4", "a" * 9000, "a\x7fb"])
def test_a_session_that_is_unclean_or_endless_is_not_sent_along(bench: Bench, storefront: Scripted, value: str) -> None:
    assert bench.who(value) == "unidentified"
    assert questions(storefront) == []


def test_headers_are_sent_along_if_they_are_named(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, headers=("X-Real-IP", "User-Agent"))
    legacy.sessions["s"] = "alice"
    assert bench.who("s", HTTP_X_REAL_IP="192.0.2.1", HTTP_USER_AGENT="Browser/1.0", HTTP_X_OTHER="x") == "alice"
    headers = questions(storefront)[0].headers
    assert (headers["x-real-ip"], headers["user-agent"], "x-other" in headers) == ("192.0.2.1", "Browser/1.0", False)
    assert bench.who("s", HTTP_X_REAL_IP="192.0.2.2") == "alice"
    assert len(questions(storefront)) == 2, "another address is another question"
    bench.whoami.close()


def test_another_host_may_be_asked_for(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, host="shop.test")
    bench.who("s")
    assert questions(storefront)[0].headers["host"] == "shop.test"
    bench.whoami.close()


# -- one question --------------------------------------------------------------------------------------


def test_connections_are_used_again_and_one_that_was_closed_meanwhile_costs_nobody_the_answer(
    storefront: Scripted, legacy: LegacySite
) -> None:
    bench = Bench(storefront.address, cache=0)
    legacy.sessions["s"] = "alice"
    assert bench.who("s") == "alice"
    hang_up = iter([None])
    legacy.says = lambda _: next(hang_up, reply(200, b'{"user": {"id": "bob"}}', "application/json"))
    assert bench.who("s") == "bob"
    bench.whoami.close()


def test_nobody_is_asked_when_no_time_is_left(bench: Bench, storefront: Scripted) -> None:
    with pytest.raises(DeadlinePassed):
        bench.whoami.ask([], Deadline.after(0.0, bench.clock))
    assert questions(storefront) == []


def test_who_is_in_a_hurry_says_nothing_about_the_site(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, timeout="10s")
    legacy.sessions["s"], legacy.held = "alice", threading.Event()
    assert {bench.who("s", seconds=0.01) for _ in range(5)} == {"unavailable"}
    assert bench.breaker.state == "closed"
    legacy.held.set()
    assert bench.who("s", seconds=10.0) == "alice"
    bench.whoami.close()


def test_who_waited_for_somebody_in_a_hurry_asks_again(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, timeout="10s")
    asked, answered = threading.Event(), bench.whoami.ask

    def in_a_hurry(fields: Fields, deadline: Deadline) -> Told:
        bench.whoami.ask = answered  # type: ignore[method-assign]
        asked.set()
        (question,) = bench.word._questions.values()
        eventually(lambda: question.answered._cond._waiters, what="somebody waits for this very answer")  # type: ignore[attr-defined]
        raise DeadlinePassed("storefront", "no time was left")

    legacy.sessions["s"] = "alice"
    bench.whoami.ask = in_a_hurry  # type: ignore[method-assign]
    found: list[str] = []
    patient = threading.Thread(target=lambda: (asked.wait(PATIENCE), found.append(bench.who("s"))))
    patient.start()
    assert bench.who("s") == "unavailable"
    patient.join(PATIENCE)
    assert found == ["alice"]
    bench.whoami.close()


def test_a_site_that_is_away_is_said_to_be_away(storefront: Scripted) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bench = Bench(nobody.getsockname())
        with pytest.raises(StoreDown):
            bench.whoami.ask([], Deadline.after(3.0, bench.clock))


def test_more_questions_than_connections_are_not_asked(storefront: Scripted, legacy: LegacySite) -> None:
    bench = Bench(storefront.address, connections=1, timeout="50ms")
    with _taken(bench), pytest.raises(TooBusy, match="connections"):
        bench.whoami.ask([], Deadline.after(3.0, bench.clock))


@contextmanager
def _taken(bench: Bench) -> Iterator[None]:
    """Its one connection is in use."""
    wire = bench.whoami._pool.take()
    try:
        yield
    finally:
        bench.whoami._pool.give_back(wire)


def test_a_site_that_answers_a_byte_now_and_then_is_not_listened_to_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bench = Bench(listener.getsockname())

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(PATIENCE)
                connection.recv(65536)
                for byte in b"HTTP/1.1 200 OK\r\nX-Endless: " + b"x" * 1000:
                    bench.clock.advance(0.1)
                    connection.sendall(bytes([byte]))
                connection.recv(1)

        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(OutcomeUnknown, match="no answer"):
            bench.whoami.ask([], Deadline.after(3.0, bench.clock))
        dripping.join(PATIENCE)
