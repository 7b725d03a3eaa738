"""Who examines solutions elsewhere may be slow, broken, talkative, or somebody else."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gate_challenges import Desk, Open, form
from stack import free_port

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import DeadlinePassed, StoreError, Unsolved
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Aim
from seckill_sidecar.wire.answers import Refusal

TROUBLES = ("fails", "hangs", "drips", "talks nonsense", "says too much", "knows us not")
SERVICES = ("turnstile", "hcaptcha")
SLACK = 8.0
"""Seconds that this machine may take on top of a deadline. No test of speed."""


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_cannot_be_examined_is_refused_and_said_so_in_time(open_desk: Open, kind: str, trouble: str) -> None:
    desk = open_desk(kind)
    said = desk.solve()
    desk.service.trouble = trouble
    began = time.monotonic()
    refusal = refused(desk, said)
    assert time.monotonic() - began < 0.5 + SLACK
    assert refusal.verdict is Verdict.UNAVAILABLE
    assert "bought nothing" in refusal.detail
    assert refusal.retry_after
    assert "secret" not in refusal.reason.replace("invalid-input-secret", "")


def refused(desk: Desk, said: dict[str, str]) -> Refusal:
    """How it is refused within a real second."""
    with pytest.raises(Refusal) as raised:
        desk.challenger.check(form(said), desk.route(), "ann", "kettle", Deadline.after(1.0, SystemClock()), None)
    return raised.value


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("trouble", ["fails", "talks nonsense"])
def test_who_is_admitted_when_nothing_can_be_examined_is_admitted_once(
    open_desk: Open, kind: str, trouble: str
) -> None:
    desk = open_desk(kind, settings={"on_down": "admit"})
    said = desk.solve()
    desk.service.trouble = trouble
    desk.check(said, key="1")
    desk.check(said, key="1")
    assert desk.refusal(said, key="2").verdict is Verdict.CHALLENGED
    assert desk.refusal({}).verdict is Verdict.CHALLENGED
    desk.service.trouble = ""
    desk.clock.advance(5)  # the breaker lets one through again
    assert desk.refusal(desk.solve() | dict.fromkeys(said, "made-up")).verdict is Verdict.CHALLENGED


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_that_fails_is_left_alone_for_a_while(open_desk: Open, kind: str) -> None:
    desk = open_desk(kind)
    desk.service.trouble = "fails"
    for _ in range(3):
        desk.refusal(desk.solve())
    asked = len(desk.service.asked)
    refusal = desk.refusal(desk.solve())
    assert len(desk.service.asked) == asked
    assert (refusal.verdict, desk.breaker.state) == (Verdict.UNAVAILABLE, "open")
    desk.service.trouble = ""
    desk.clock.advance(5)
    desk.check(desk.solve())
    assert desk.breaker.state == "closed"


@pytest.mark.parametrize("kind", SERVICES)
def test_wrong_solutions_say_nothing_of_the_service(open_desk: Open, kind: str) -> None:
    desk = open_desk(kind)
    for number in range(10):
        said = dict.fromkeys(desk.solve(), f"made-up-{number}")
        assert desk.refusal(said).verdict is Verdict.CHALLENGED
    assert desk.breaker.state == "closed"


def test_what_can_be_no_solution_is_not_asked_about(open_desk: Open) -> None:
    desk = open_desk("turnstile")
    for text in ("", "two words", "ü", "x" * 5000, "a\nb"):
        assert desk.refusal({"cf-turnstile-response": text}).verdict is Verdict.CHALLENGED
    assert desk.service.asked == []


def test_the_service_hears_the_secret_and_the_solution_and_no_buyer(open_desk: Open) -> None:
    for kind, more in (("turnstile", {"idempotency_key"}), ("hcaptcha", {"sitekey"})):
        desk = open_desk(kind)
        desk.check(desk.solve(), buyer="ann")
        assert set(desk.service.asked[-1]) == {"secret", "response"} | more


def test_a_lost_answer_costs_nobody_a_solution(open_desk: Open) -> None:
    desk = open_desk("turnstile")
    said = desk.solve()
    desk.service.trouble = "hangs"
    assert refused(desk, said).verdict is Verdict.UNAVAILABLE
    desk.service.patience.set()
    desk.service.trouble = ""
    desk.check(said)


@pytest.mark.parametrize("kind", SERVICES)
def test_a_solution_of_another_host_is_refused_where_hosts_are_named(open_desk: Open, kind: str) -> None:
    desk = open_desk(kind, settings={"hostnames": ("shop.test", "www.shop.test")})
    desk.check(desk.solve())
    said = desk.solve()
    elsewhere = desk.service.solve(hostname="farm.test", **dict.fromkeys(("action",), "buy"))
    assert "another site" in desk.refusal(dict.fromkeys(said, elsewhere)).detail


def test_connections_are_used_again_and_after_trouble_anew(open_desk: Open) -> None:
    desk = open_desk("hcaptcha")
    pool = desk.challenger._kinds["hcaptcha"].challenge._pool  # type: ignore[attr-defined]
    for _ in range(3):
        desk.check(desk.solve(), key="1")
    assert pool.num_connections == 1
    desk.service.trouble = "says too much"
    desk.refusal(desk.solve())
    desk.service.trouble = ""
    desk.check(desk.solve(), key="1")


def test_nothing_is_sent_when_the_time_is_over(open_desk: Open) -> None:
    desk = open_desk("turnstile")
    with pytest.raises(DeadlinePassed):
        examine(desk, Deadline.after(0.0, SystemClock()))
    assert desk.service.asked == []


def test_a_service_that_is_not_there_is_down(open_desk: Open) -> None:
    desk = open_desk("turnstile", settings={"url": f"http://127.0.0.1:{free_port()}/"})
    with pytest.raises(StoreError, match="can't connect"):
        examine(desk, Deadline.after(2.0, SystemClock()))


def test_a_service_without_a_certificate_that_anybody_vouches_for_hears_nothing(
    open_desk: Open, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        desk = open_desk("turnstile", settings={"url": f"https://127.0.0.1:{server.server_port}/", "timeout": 5.0})
        with pytest.raises(StoreError, match="certificate"):
            examine(desk, Deadline.after(10.0, SystemClock()))
    finally:
        server.shutdown()
        server.server_close()
    assert heard == []


def examine(desk: Desk, deadline: Deadline) -> None:
    challenge = desk.challenger._kinds[desk.kind].challenge
    with_solution = {"solution": desk.service.solve(action="buy", cdata="seal")}
    try:
        challenge.examine(with_solution, Aim("buy", ["seal"]), deadline)
    except Unsolved as error:
        raise AssertionError(error.why) from error


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    kept_as = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*kept_as) + certificate.public_bytes(serialization.Encoding.PEM))
    return file
