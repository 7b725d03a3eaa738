"""What is true of every kind of challenge, whoever examines it."""

from __future__ import annotations

import base64
import json
import secrets

import pytest
from gate_challenges import AGAIN, FIELDS, KEYS, KINDS, LIFETIME, Desk, Open, altered, asking, form, posted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Rate, Verdict
from seckill_sidecar.wire.answers import Refusal


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, open_desk: Open) -> Desk:
    return open_desk(request.param)


@pytest.fixture
def elsewhere(desk: Desk, open_desk: Open) -> Desk:
    """Another host of the same site."""
    return open_desk(desk.kind)


def test_a_solution_passes_once(desk: Desk) -> None:
    said = desk.solve()
    desk.check(said, key="1")
    assert desk.refusal(said, key="2").verdict is Verdict.CHALLENGED
    assert desk.refusal(said, item="pan", key="1").verdict is Verdict.CHALLENGED
    assert "used already" in desk.refusal(said, key="2").detail


def test_a_host_takes_what_another_gave_and_refuses_what_another_has_taken(desk: Desk, elsewhere: Desk) -> None:
    said = desk.solve()
    elsewhere.check(said, key="1")
    assert desk.refusal(said, key="2").verdict is Verdict.CHALLENGED


def test_the_same_purchase_needs_no_second_solution(desk: Desk, elsewhere: Desk) -> None:
    said = desk.solve()
    desk.check(said, key="1")
    elsewhere.check(said, key="1")
    desk.expire()
    elsewhere.check(said, key="1")
    assert desk.refusal(said, key="2").verdict is Verdict.CHALLENGED


def test_without_a_key_the_same_purchase_is_one_for_a_moment_only(desk: Desk) -> None:
    said = desk.solve()
    desk.check(said)
    desk.clock.advance(AGAIN - 1)
    desk.check(said)
    desk.clock.advance(2)
    assert desk.refusal(said).verdict is Verdict.CHALLENGED


def test_a_solution_that_is_too_old_is_refused(desk: Desk) -> None:
    said = desk.solve()
    desk.expire()
    assert desk.refusal(said).verdict is Verdict.CHALLENGED


def test_who_sends_no_solution_hears_where_to_get_a_challenge(desk: Desk) -> None:
    refusal = desk.refusal({"quantity": "1"}, item="kettle.red")
    assert refusal.verdict is Verdict.CHALLENGED
    assert refusal.asked is not None
    assert refusal.asked.url == "/seckill/challenges/buy?item=kettle.red"
    assert set(refusal.asked.fields) == set(FIELDS[desk.kind].values())


@pytest.mark.parametrize("desk", ["altcha", "image", "turnstile"], indirect=True)
def test_a_solution_is_for_the_route_the_item_and_the_buyer_that_it_was_given_for(desk: Desk) -> None:
    assert "another challenge" in desk.refusal(desk.solve(), route="other").detail
    assert "another challenge" in desk.refusal(desk.solve(), buyer="bob").detail
    assert "another challenge" in desk.refusal(desk.solve(item="pan"), item="kettle").detail
    desk.check(desk.solve(item="kettle"), item="kettle", key="1")
    desk.check(desk.solve(), item="kettle", key="2")


@pytest.mark.parametrize("desk", KINDS, indirect=True)
def test_where_only_a_purchase_tells_the_buyer_the_first_one_has_the_solution(desk: Desk, open_desk: Open) -> None:
    late = open_desk(desk.kind, early=False)
    said = late.solve(buyer="")
    late.check(said, buyer="ann")
    assert late.refusal(said, buyer="bob").verdict is Verdict.CHALLENGED


@pytest.mark.parametrize("desk", ["altcha", "image"], indirect=True)
def test_a_new_key_of_the_site_spoils_no_challenge(desk: Desk, open_desk: Open) -> None:
    before, after = open_desk(desk.kind, keys=KEYS[1:]), open_desk(desk.kind, keys=KEYS[:1])
    desk.check(before.solve(), key="1")
    assert after.refusal(before.solve(), key="1").verdict is Verdict.CHALLENGED


@pytest.mark.parametrize("size", [4097, 60_000])
def test_a_solution_that_is_too_long_is_refused_unread(desk: Desk, size: int) -> None:
    for field in FIELDS[desk.kind].values():
        assert desk.refusal(desk.solve() | {field: "x" * size}).verdict is Verdict.CHALLENGED
    assert not any(len(fields["response"]) >= size for fields in desk.service.asked)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300))
def test_whatever_is_sent_for_a_solution_is_refused(desk: Desk, text: str) -> None:
    said = dict.fromkeys(FIELDS[desk.kind].values(), text)
    assert desk.refusal(said).verdict is Verdict.CHALLENGED


WIDGETS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["challenge", "solution", "parameters", "signature", "nonce", "counter", "expiresAt", "data"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=WIDGETS, part=st.sampled_from(["challenge", "solution", "parameters", "signature", "data", ""]))
def test_whatever_a_widget_may_send_is_refused(open_desk: Open, members: object, part: str) -> None:
    desk = open_desk("altcha")

    def change(whole: dict[str, object]) -> None:
        challenge = whole["challenge"]
        assert isinstance(challenge, dict)
        target = challenge if part in ("parameters", "signature") else whole
        target[part] = members

    text = base64.b64encode(json.dumps(members).encode()).decode()
    if part:
        text = altered(desk.solve()["altcha"], change)
    if part == "data":
        desk.check({"altcha": text})  # beside the challenge, where nobody looks
    else:
        assert desk.refusal({"altcha": text}).verdict is Verdict.CHALLENGED


def test_work_can_be_neither_lessened_nor_lengthened_nor_used_in_another_spelling(open_desk: Open) -> None:
    desk = open_desk("altcha")
    said = desk.solve()["altcha"]
    for name, value in (("keyPrefix", ""), ("cost", 1), ("expiresAt", 9_999_999_999), ("data", {"for": "x"})):
        forged = altered(
            said, lambda whole, name=name, value=value: whole["challenge"]["parameters"].update({name: value})
        )  # type: ignore[misc]
        assert desk.refusal({"altcha": forged}).verdict is Verdict.CHALLENGED
    desk.check({"altcha": said}, key="1")
    spelled = altered(said, lambda whole: whole["solution"].update(time=17, more="x"))
    assert "used already" in desk.refusal({"altcha": spelled}, key="2").detail


def test_an_answer_is_read_whatever_its_case_and_tried_once(open_desk: Open) -> None:
    desk = open_desk("image")
    for answer in ("ACE47", "ace47", " Ace 47 "):
        desk.check(desk.solve() | {"seckill_answer": answer}, key=secrets.token_hex(4))
    said = desk.solve()
    assert "not what the picture shows" in desk.refusal(said | {"seckill_answer": "ACE74"}).detail
    assert "used already" in desk.refusal(said).detail


def test_a_wrong_answer_takes_nothing_from_who_has_solved_it(open_desk: Open) -> None:
    desk = open_desk("image")
    said = desk.solve()
    desk.check(said, key="1")
    assert desk.refusal(said | {"seckill_answer": "nonsense"}, key="1").verdict is Verdict.CHALLENGED
    desk.check(said, key="1")


def test_nothing_that_is_given_tells_the_answer_or_the_buyer(open_desk: Open) -> None:
    desk = open_desk("image")
    given = desk.give("zoe-the-buyer")
    payload = base64.urlsafe_b64decode(given["challenge"].split(".")[3] + "==")
    assert b"ACE47" not in payload
    assert b"zoe" not in payload
    assert desk.give()["challenge"] != desk.give()["challenge"]


def test_without_a_picture_there_is_no_challenge_yet(open_desk: Open) -> None:
    desk = open_desk("image")
    desk.pictures.picture = None
    with pytest.raises(Refusal) as raised:
        desk.give()
    assert (raised.value.verdict, raised.value.retry_after) == (Verdict.UNAVAILABLE, 1)


def test_a_process_gives_so_many_in_a_time(open_desk: Open) -> None:
    desk = open_desk("altcha", rate=Rate(1, 1.0, 3))
    for _ in range(3):
        desk.give()
    with pytest.raises(Refusal) as raised:
        desk.give()
    assert raised.value.verdict is Verdict.UNAVAILABLE
    desk.clock.advance(1)
    desk.give()


# -- where a solution is looked for ------------------------------------------------------------------


def test_a_solution_may_stand_in_a_form_in_json_in_a_query_or_in_a_header(open_desk: Open) -> None:
    desk = open_desk("altcha", headers={"solution": "X-Altcha"})

    def solution() -> str:
        return desk.solve()["altcha"]

    boundary = b'--b\r\nContent-Disposition: form-data; name="altcha"\r\n\r\n%b\r\n--b--\r\n'
    for number, request in enumerate(
        [
            form({"altcha": solution()}),
            posted(boundary % solution().encode(), "multipart/form-data; boundary=b"),
            posted(json.dumps({"altcha": solution()}).encode(), "application/json"),
            posted(b"", "", HTTP_X_ALTCHA=solution()),
            posted(b"\x00", "application/octet-stream", HTTP_X_ALTCHA=solution()),
            asking(RAW_URI="/q?altcha=" + solution().replace("+", "%2B").replace("=", "%3D")),
        ]
    ):
        desk.check_of(request, key=f"k{number}")


def test_two_solutions_at_once_are_none(open_desk: Open) -> None:
    desk = open_desk("altcha")
    with pytest.raises(Refusal) as raised:
        desk.check_of(posted(b"altcha=a&altcha=b", "application/x-www-form-urlencoded"))
    assert raised.value.verdict is Verdict.INVALID


def test_a_solution_is_forgotten_when_it_is_worth_nothing_any_more(desk: Desk) -> None:
    desk.check(desk.solve())
    desk.check(desk.solve(), key="1")
    line = desk.burns._line
    soon = Deadline.after(5.0, SystemClock())
    names = line.ask("KEYS", "desk:solution:*", deadline=soon)
    lives = sorted(line.ask("PTTL", name, deadline=soon) / 1000 for name in names)
    assert len(lives) == 2
    assert LIFETIME <= lives[0] <= 2 * LIFETIME + 61
    assert 86_000 <= lives[1] <= 86_461
