"""One order followed: what is told, in which order, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

from results_words import PATIENCE, Scene, asker

from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.gate.results.hub import Waiter
from seckill_sidecar.model import State
from seckill_sidecar.model.orders import restated
from seckill_sidecar.plugs.results.following import News, Step


def steps(scene: Scene, who: Asker, waiter: Waiter) -> Iterator[News | Step]:
    return scene.follower.steps(who, waiter, scene.follower.first(who))


def told(step: News | Step) -> tuple[str, bool | None, bool]:
    """State, whether written, whether there is more to come."""
    assert isinstance(step, News)
    assert step.final == ("poll_after_ms" not in step.members)
    return step.members["state"], step.members["written"], not step.final


def test_what_is_written_already_is_told_once() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    scene.database.put(scene.order)
    (only,) = steps(scene, asker(scene.order), scene.waiter())
    assert told(only) == ("held", True, False)


def test_the_order_is_told_now_and_once_it_is_written() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)

    def commit() -> None:
        scene.database.put(scene.order)
        scene.tell()

    assert [told(step) for step in steps(scene, asker(scene.order), scene.waiter(commit))] == [
        ("held", False, True),
        ("held", True, False),
    ]


def test_a_cancelled_order_is_told_before_it_is_written() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    happens = iter(
        [
            lambda: scene.ledger.put(restated(scene.order, State.CANCELLED)),
            lambda: scene.database.put(restated(scene.order, State.CANCELLED)),
        ]
    )

    def go_on() -> None:
        next(happens)()
        scene.tell()

    assert [told(step) for step in steps(scene, asker(scene.order), scene.waiter(go_on))] == [
        ("held", False, True),
        ("cancelled", False, True),
        ("cancelled", True, False),
    ]


def test_an_order_that_was_under_way_is_heard_of_when_it_is_there() -> None:
    scene = Scene()

    def accept() -> None:
        scene.ledger.put(scene.order)
        scene.database.put(scene.order)
        scene.tell()

    first, last = steps(scene, asker(scene.order), scene.waiter(accept))
    assert (told(first), told(last)) == (("unknown", False, True), ("held", True, False))
    assert not scene.sealed


def test_a_purchase_that_never_arrives_is_sealed_and_said_to_be_none() -> None:
    scene = Scene()
    first, last = steps(scene, asker(scene.order), scene.waiter())
    assert (told(first), told(last)) == (("unknown", False, True), ("none", False, False))
    assert scene.sealed == [scene.order.id]
    assert scene.clock.now >= 1_000_000 + PATIENCE.unknown


def test_nothing_is_sealed_while_nobody_can_tell() -> None:
    scene = Scene()
    scene.ledger.down = True
    *_, last = steps(scene, asker(scene.order), scene.waiter())
    assert last is Step.OVER
    assert not scene.sealed


def test_an_accepted_order_that_nobody_knows_any_more_is_told_by_its_receipt_and_never_sealed() -> None:
    scene = Scene()
    first, *rest = steps(scene, asker(scene.order, receipt=True), scene.waiter())
    assert told(first) == ("held", False, True)
    assert rest[-1] is Step.OVER
    assert not scene.sealed


def test_a_receipt_whose_hold_is_over_claims_no_hold() -> None:
    scene = Scene()
    scene.clock.advance(1000)
    first, *_ = steps(scene, asker(scene.order, receipt=True), scene.waiter())
    assert told(first) == ("unknown", False, True)
    assert isinstance(first, News)
    assert first.members["quantity"] == 1


def test_in_silence_there_are_heartbeats_and_then_an_end() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    _, *rest = steps(scene, asker(scene.order), scene.waiter())
    assert (set(rest[:-1]), rest[-1]) == ({Step.BEAT}, Step.OVER)
    assert len(rest) >= PATIENCE.longest // PATIENCE.heartbeat


def test_when_the_process_ends_so_does_the_waiting() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    _, last = steps(scene, asker(scene.order), scene.waiter(scene.hub.stop))
    assert last is Step.STOPPING


def test_another_ones_order_is_none() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    stranger = Asker(scene.order.id, "bob", bearer=True)
    assert [told(step) for step in steps(scene, stranger, scene.waiter())] == [("none", False, False)]


def test_another_ones_order_is_none_even_if_it_comes_later() -> None:
    scene = Scene()
    stranger = Asker(scene.order.id, "bob", bearer=True)

    def accept() -> None:
        scene.ledger.put(scene.order)
        scene.tell()

    _, last = steps(scene, stranger, scene.waiter(accept))
    assert told(last) == ("none", False, False)


def test_a_database_that_can_not_tell_is_no_claim() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)
    scene.database.down = True
    assert told(next(steps(scene, asker(scene.order), scene.waiter()))) == ("held", None, True)


def test_a_single_answer_waits_for_the_next_news_only() -> None:
    scene = Scene()
    scene.ledger.put(scene.order)

    def cancel() -> None:
        scene.ledger.put(restated(scene.order, State.CANCELLED))
        scene.tell()

    who, follower = asker(scene.order), scene.follower
    result = follower.next_news(who, scene.waiter(cancel), follower.first(who), 20.0)
    assert (result.state, result.final) == ("cancelled", False)
    assert follower.next_news(who, scene.waiter(), result, 20.0) == result
