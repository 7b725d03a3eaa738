"""The line to a real server: whatever happens to the server, each caller gets its own answer or the truth, in time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from ledger_words import open_line, run_at_once, within
from stack import Redis, eventually, free_port

from seckill_sidecar.adapters.ledger import Line, scripts
from seckill_sidecar.errors import DeadlinePassed, LedgerUntrusted, OutcomeUnknown, StoreDown, StoreError, TooBusy

pytestmark = pytest.mark.gevent_too

SLACK = 2.0
"""How late an answer may be on a machine that is busy with other things; deadlines here differ by more."""

Open = Callable[..., Line]


@pytest.fixture
def line(url: str, lines: Callable[[Line], Line]) -> Line:
    return lines(open_line(url))


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(220) as pool:
        yield pool


def echo(line: Line, word: str, seconds: float = 5.0) -> str:
    return str(line.ask("ECHO", word, deadline=within(seconds)).decode())


def block(line: Line, callers: ThreadPoolExecutor, seconds: float, by: float = 10.0) -> Future[object]:
    """Keep a flight in the air for so long, by a command that waits."""
    future = callers.submit(line.ask, "BLPOP", "nothing", seconds, deadline=within(by))
    eventually(lambda: line._gatherer._in_the_air, what="it is under way")
    return future


def send(line: Line, callers: ThreadPoolExecutor, *command: object, by: float = 10.0) -> Future[object]:
    """Ask from a thread of its own, and return when the call waits."""
    before = len(line._gatherer._waiting)
    future = callers.submit(line.ask, *command, deadline=within(by))
    eventually(lambda: future.done() or len(line._gatherer._waiting) > before, what="it waits")
    return future


# -- answers -----------------------------------------------------------------------------------------


def test_hundreds_of_callers_each_get_their_own_answer(line: Line) -> None:
    crossed: list[tuple[str, str]] = []

    def chat(caller: int) -> None:
        for number in range(10):
            word = f"{caller}-{number}"
            if (answer := echo(line, word)) != word:
                crossed.append((word, answer))

    run_at_once(*[lambda caller=caller: chat(caller) for caller in range(200)])
    assert crossed == []


def test_a_process_uses_one_connection_however_many_ask(line: Line) -> None:
    run_at_once(*[lambda: echo(line, "x") for _ in range(50)])
    clients = line.ask("CLIENT", "LIST", "TYPE", "normal", deadline=within()).decode().splitlines()
    assert len(clients) == 1


def test_an_error_reply_is_for_its_own_caller_only(line: Line, callers: ThreadPoolExecutor) -> None:
    line.ask("SET", "text", "x", deadline=within())
    block(line, callers, 0.3)
    before, wrong, after = (
        send(line, callers, *command) for command in (("ECHO", "a"), ("INCR", "text"), ("ECHO", "b"))
    )
    with pytest.raises(LedgerUntrusted, match="integer") as caught:
        wrong.result(10)
    assert caught.value.__cause__ is not None
    assert (before.result(10), after.result(10)) == (b"a", b"b")


def test_a_command_that_can_not_be_packed_fails_its_own_caller_only(line: Line, callers: ThreadPoolExecutor) -> None:
    block(line, callers, 0.3)
    good = send(line, callers, "ECHO", "a")
    with pytest.raises(UnicodeEncodeError):
        line.ask("ECHO", "\ud800", deadline=within())
    assert good.result(10) == b"a"


def test_a_script_is_given_again_to_a_server_that_lost_it(line: Line) -> None:
    keys = ["{x}"] * len(scripts.SETTLE.keys)
    for _ in range(2):
        assert line.run(scripts.SETTLE, keys, ("id", "paid", "", "x", "", 0, 0, ""), within()) == [b"unknown_order"]
        line.ask("SCRIPT", "FLUSH", deadline=within())


def test_more_callers_than_the_bound_are_turned_away(
    url: str, lines: Callable[[Line], Line], callers: ThreadPoolExecutor
) -> None:
    line = lines(open_line(url, bound=2))
    blocked = block(line, callers, 1)
    waiting = [send(line, callers, "ECHO", "a"), send(line, callers, "ECHO", "b")]
    with pytest.raises(TooBusy):
        line.ask("ECHO", "c", deadline=within())
    assert [future.result(10) for future in (blocked, *waiting)] == [None, b"a", b"b"]


# -- deadlines ---------------------------------------------------------------------------------------


def test_a_call_after_its_deadline_is_not_sent(line: Line) -> None:
    with pytest.raises(DeadlinePassed):
        line.ask("INCR", "count", deadline=within(0))
    assert line.ask("GET", "count", deadline=within()) is None


def test_a_call_whose_time_is_over_while_it_waits_is_never_sent(line: Line, callers: ThreadPoolExecutor) -> None:
    blocked = block(line, callers, 1)
    with pytest.raises(DeadlinePassed, match="nothing was sent"):
        line.ask("INCR", "count", deadline=within(0.1))
    blocked.result(10)
    assert line.ask("GET", "count", deadline=within()) is None


def test_a_call_that_got_no_answer_by_its_deadline_is_unknown(line: Line) -> None:
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        line.ask("BLPOP", "nothing", 20, deadline=within(0.2))
    assert time.monotonic() - started < 0.2 + SLACK
    assert echo(line, "still here") == "still here"


def test_no_call_takes_longer_than_the_lines_timeout(url: str, lines: Callable[[Line], Line]) -> None:
    line = lines(open_line(url, timeout=0.2))
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        line.ask("BLPOP", "nothing", 20, deadline=within(60))
    assert time.monotonic() - started < 0.2 + SLACK


def test_what_comes_too_late_does_not_answer_another_question(
    url: str, lines: Callable[[Line], Line], callers: ThreadPoolExecutor
) -> None:
    line = lines(open_line(url, timeout=0.5))
    for number in range(3):
        block(line, callers, 0.1)
        early = send(line, callers, "ECHO", f"early {number}")
        stuck = send(line, callers, "BLPOP", "nothing", 1)
        behind = send(line, callers, "ECHO", f"behind {number}")
        assert early.result(10) == f"early {number}".encode()
        for future in (stuck, behind):
            with pytest.raises(OutcomeUnknown):
                future.result(10)
        assert echo(line, f"after {number}") == f"after {number}"


# -- the server fails --------------------------------------------------------------------------------


def test_a_paused_server_keeps_no_caller_past_its_deadline_and_crosses_no_answers_later(
    server: Redis, line: Line
) -> None:
    echo(line, "hello")
    late: list[float] = []
    told: list[StoreError] = []

    def ask_in_vain(caller: int) -> None:
        seconds = 0.1 + caller / 100
        started = time.monotonic()
        try:
            echo(line, "anybody?", seconds)
        except StoreError as error:
            told.append(error)
        late.append(time.monotonic() - started - seconds)

    server.pause()
    try:
        run_at_once(*[lambda caller=caller: ask_in_vain(caller) for caller in range(40)])
    finally:
        server.resume()
    assert len(told) == 40
    assert all(isinstance(error, DeadlinePassed | StoreDown | OutcomeUnknown) for error in told)
    assert max(late) < SLACK
    run_at_once(*[lambda word=f"w{n}": assert_echoes(line, word) for n in range(40)])


def assert_echoes(line: Line, word: str) -> None:
    assert echo(line, word) == word


def test_a_lone_caller_with_little_time_is_not_kept_by_a_paused_server(server: Redis, line: Line) -> None:
    server.pause()
    try:
        for _ in range(3):  # in the air, then while connecting
            started = time.monotonic()
            with pytest.raises((StoreDown, OutcomeUnknown)):
                echo(line, "anybody?", 0.1)
            assert time.monotonic() - started < 0.1 + SLACK
    finally:
        server.resume()
    assert echo(line, "hello") == "hello"


def test_calls_in_the_middle_of_a_kill_are_unknown_and_later_ones_find_the_new_server(
    server: Redis, line: Line, callers: ThreadPoolExecutor
) -> None:
    flying = block(line, callers, 20)
    eventually(lambda: b"cmd=blpop" in clients_of(server), what="the server has it")
    server.kill()
    with pytest.raises(OutcomeUnknown):
        flying.result(10)
    with pytest.raises(StoreDown, match="connect"):
        echo(line, "anybody?")
    server.start()
    assert echo(line, "hello") == "hello"


def clients_of(server: Redis) -> bytes:
    other = open_line(server.url)
    try:
        return bytes(other.ask("CLIENT", "LIST", deadline=within()))
    finally:
        other.close()


def test_a_connection_that_the_server_closed_between_two_calls_is_not_noticed(server: Redis, line: Line) -> None:
    echo(line, "hello")
    server.restart()
    assert echo(line, "hello again") == "hello again"
    other = open_line(server.url)
    other.ask("CLIENT", "KILL", "TYPE", "normal", deadline=within())
    other.close()
    assert echo(line, "and again") == "and again"


def test_nobody_listening_is_a_server_that_is_down(lines: Callable[[Line], Line], tmp_path: object) -> None:
    for url in (f"redis://127.0.0.1:{free_port()}/0", f"unix://{tmp_path}/none.sock"):
        line = lines(open_line(url))
        with pytest.raises(StoreDown, match="connect"):
            echo(line, "anybody?")


def test_a_wrong_password_is_told_as_the_server_tells_it(
    private_server: Callable[..., Redis], lines: Callable[[Line], Line]
) -> None:
    server = private_server()
    assert server.ask("CONFIG SET requirepass secret") == "+OK"
    port = server.port
    line = lines(open_line(f"redis://:secret@127.0.0.1:{port}/0"))
    assert echo(line, "hello") == "hello"
    for url in (f"redis://:wrong@127.0.0.1:{port}/0", server.url):
        with pytest.raises(StoreDown, match=r"(?i)password|auth") as caught:
            echo(lines(open_line(url)), "hello")
        assert "wrong@" not in str(caught.value)


def test_a_line_that_was_closed_opens_again_when_it_is_asked(line: Line) -> None:
    line.close()
    echo(line, "hello")
    line.close()
    line.close()
    assert echo(line, "hello again") == "hello again"


def test_a_forked_process_takes_a_connection_of_its_own(line: Line) -> None:
    echo(line, "hello")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if all(echo(line, f"child {n}") == f"child {n}" for n in range(50)) else 1)
        finally:
            os._exit(2)
    for number in range(50):
        assert_echoes(line, f"parent {number}")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert_echoes(line, "parent again")


def test_threads_that_start_together_with_the_line_share_one_connection(line: Line) -> None:
    start = threading.Barrier(10)
    run_at_once(*[lambda: (start.wait(10), assert_echoes(line, "x")) for _ in range(10)])
