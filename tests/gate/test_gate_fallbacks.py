"""Each policy with the store really stopped: every answer in time and true, and recovery by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gate_plugs import PLUGS, Sidecar
from gate_site import all_at_once, told
from gate_trouble import Trouble, breaker_states, expect_truth, in_time, known, order_of, troubled
from stack import RabbitMQ, eventually

from seckill_sidecar.model import State

CAREFUL = {"on_ledger_down": "refuse", "on_broker_down": "keep", "on_storefront_down": "keep"}
EAGER = {"on_ledger_down": "storefront", "on_broker_down": "refuse", "on_storefront_down": "release"}


@pytest.fixture(scope="module", params=PLUGS)
def _careful(
    request: pytest.FixtureRequest, rabbit_server: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trouble]:
    with troubled(request.param, CAREFUL, rabbit_server, tmp_path_factory.mktemp("careful")) as trouble:
        yield trouble


@pytest.fixture(scope="module", params=PLUGS)
def _eager(
    request: pytest.FixtureRequest, rabbit_server: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trouble]:
    with troubled(request.param, EAGER, rabbit_server, tmp_path_factory.mktemp("eager")) as trouble:
        yield trouble


@pytest.fixture
def careful(_careful: Trouble) -> Iterator[Trouble]:
    """Refuses when the ledger is down; keeps orders when broker or storefront are."""
    _careful.heal()
    yield _careful
    _careful.heal()


@pytest.fixture
def eager(_eager: Trouble) -> Iterator[Trouble]:
    """Lets the storefront sell when the ledger is down; gives units back when broker or storefront are."""
    _eager.heal()
    yield _eager
    _eager.heal()


# -- the ledger ----------------------------------------------------------------------------------------


def test_a_ledger_that_is_gone_is_refused_in_time_and_comes_back_by_itself(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=100)
    careful.redis.kill()
    answers = {}
    for no in range(4):
        with in_time():
            answers[f"b{no}"] = careful.shop.buy(sku, f"b{no}", path="/buy/{sku}")
    assert {(answer.status, told(answer)) for answer in answers.values()} == {(503, "unavailable")}
    assert all(int(answer.value("Retry-After")) >= 1 for answer in answers.values())
    assert "closed -> open" in breaker_states(careful.shop, "ledger")
    careful.nothing_waits_to_be_written()
    careful.redis.start()
    eventually(lambda: careful.shop.buy(sku, "patient").status == 201, 20, "sales go on")
    for buyer, answer in answers.items():
        expect_truth(careful.shop, sku, buyer, answer)
    assert breaker_states(careful.shop, "ledger")[-1].endswith("closed")
    assert careful.shop.seen(sku) == []


def test_a_ledger_that_hangs_leaves_nobody_waiting_and_nobody_deceived(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=100)
    careful.redis.pause()
    answers = {}
    for no in range(4):
        with in_time():
            answers[f"b{no}"] = careful.shop.buy(sku, f"b{no}", path="/buy/{sku}")
    assert {answer.status for answer in answers.values()} == {503}
    first = answers["b0"].json
    assert first["poll"].startswith(f"/seckill/orders/{first['order']}")
    assert "bought nothing" not in first["detail"]
    assert "closed -> open" in breaker_states(careful.shop, "ledger")
    with in_time():
        assert careful.shop.look_up(first["poll"]).status == 503
    careful.redis.resume()
    for buyer, answer in answers.items():
        expect_truth(careful.shop, sku, buyer, answer)
    careful.shop.view(sku)


def test_more_than_there_is_room_for_are_told_so_at_once(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=100)
    assert careful.shop.buy(sku, "who makes it known").status == 201
    careful.redis.pause()
    with in_time():
        answers = all_at_once([lambda no=no: careful.shop.buy(sku, f"b{no}") for no in range(12)])
    careful.redis.resume()
    assert {answer.status for answer in answers} == {503}
    assert any("too many people" in answer.json["detail"] for answer in answers)
    for no, answer in enumerate(answers):
        expect_truth(careful.shop, sku, f"b{no}", answer)


def test_with_the_ledger_gone_the_storefront_may_sell_by_itself(eager: Trouble) -> None:
    sku = eager.shop.open_sale(total=100)
    eager.redis.kill()
    for no in range(5):
        with in_time():
            assert told(eager.shop.buy(sku, f"b{no}", path="/buy/{sku}")) == "storefront"
    seen = eager.shop.seen(sku)
    assert len(seen) == 5
    assert not any(name.lower().startswith("x-seckill") for entry in seen for name, _ in entry["headers"])
    eager.redis.start()
    assert eager.shop.orders(sku) == []


def test_a_purchase_that_the_ledger_may_have_made_is_not_made_again_by_the_storefront(eager: Trouble) -> None:
    sku = eager.shop.open_sale(total=100)
    eager.redis.pause()
    answers = {f"b{no}": eager.shop.buy(sku, f"b{no}", path="/buy/{sku}") for no in range(5)}
    eager.redis.resume()
    assert answers["b0"].status == 503
    for buyer, answer in answers.items():
        if answer.status == 503:
            expect_truth(eager.shop, sku, buyer, answer)
        else:  # by then the breaker was open: nothing had been sent
            assert (told(answer), order_of(eager.shop, sku, buyer)) == ("storefront", None)


# -- the broker ------------------------------------------------------------------------------------------


def test_with_the_broker_down_orders_stay_in_the_outbox(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=100)
    careful.rabbit.pause()
    for no in range(5):
        with in_time():
            assert careful.shop.buy(sku, f"b{no}", path="/buy/{sku}").status == 201
    careful.rabbit.resume()
    assert len(careful.shop.books(sku).outbox) == careful.shop.view(sku).held == 5
    assert "closed -> open" in breaker_states(careful.shop, "broker")
    assert "left in the outbox" in careful.shop.plug.said()
    eventually(careful.hands_off, 20, "the broker is used again")


def test_with_the_broker_down_units_may_be_given_back(eager: Trouble) -> None:
    sku = eager.shop.open_sale(total=1)
    eager.rabbit.pause()
    for no in range(5):
        with in_time():
            answer = eager.shop.buy(sku, f"b{no}", path="/buy/{sku}")
        assert (answer.status, told(answer)) == (503, "unavailable")
        assert "nothing was bought" in answer.json["detail"]
        assert "poll" not in answer.json
    assert eager.shop.view(sku).free == 1
    assert {order.state for order in eager.shop.orders(sku)} == {State.CANCELLED}
    assert eager.shop.seen(sku) == []
    eager.rabbit.resume()
    eventually(lambda: eager.shop.buy(sku, "patient").status == 201, 20, "sales go on")


def test_a_replay_while_the_broker_is_down_takes_nothing_back(eager: Trouble) -> None:
    sku = eager.shop.open_sale()
    first = eager.shop.buy(sku, "alice", key=sku)
    eager.rabbit.pause()
    again = eager.shop.buy(sku, "alice", key=sku)
    assert (again.status, again.json["order"], again.json["state"]) == (200, first.json["order"], "held")
    assert eager.shop.view(sku).held == 1


def test_who_was_refused_and_comes_again_with_the_same_key_is_not_told_that_he_has_it(eager: Trouble) -> None:
    sku = eager.shop.open_sale()
    eager.rabbit.pause()
    assert eager.shop.buy(sku, "alice", key=sku).status == 503
    eager.rabbit.resume()
    again = eager.shop.buy(sku, "alice", key=sku)
    assert (again.status, again.json["state"]) == (409, "cancelled")


# -- the storefront --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 507])
def test_with_the_storefront_broken_the_order_is_kept(careful: Trouble, status: int) -> None:
    sku = careful.shop.open_sale()
    answer = careful.shop.buy(sku, "alice", f"X-Act: {status}", path="/buy/{sku}")
    assert (answer.status, told(answer), answer.json["state"]) == (202, "accepted", "held")
    assert careful.shop.look_up(answer.json["poll"]).json["state"] == "held"
    assert careful.shop.view(sku).held == 1


@pytest.mark.parametrize("status", [500, 503])
def test_with_the_storefront_broken_units_may_be_given_back(eager: Trouble, status: int) -> None:
    sku = eager.shop.open_sale()
    answer = eager.shop.buy(sku, "alice", f"X-Act: {status}", path="/buy/{sku}")
    assert (answer.status, told(answer)) == (503, "unavailable")
    assert "nothing was bought" in answer.json["detail"]
    assert eager.shop.view(sku).free == 10


@pytest.mark.parametrize("status", [502, 504])
def test_units_are_not_given_back_when_only_a_gateway_failed(eager: Trouble, status: int) -> None:
    sku = eager.shop.open_sale()
    answer = eager.shop.buy(sku, "alice", f"X-Act: {status}", path="/buy/{sku}")
    assert (answer.status, answer.json["state"], eager.shop.view(sku).held) == (202, "held", 1)


def test_the_breaker_of_a_broken_storefront_opens_and_closes(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=100)
    for no in range(20):
        assert careful.shop.buy(sku, f"b{no}", "X-Act: 500", path="/buy/{sku}").status == 202
    assert "closed -> open" in breaker_states(careful.shop, "storefront")
    assert len(careful.shop.seen(sku)) < 20
    eventually(lambda: told(careful.shop.buy(sku, path="/buy/{sku}")) == "storefront", 20, "it is used again")
    assert breaker_states(careful.shop, "storefront")[-1].endswith("closed")


careful_sidecar = pytest.mark.parametrize("_careful", [Sidecar.name], indirect=True)
eager_sidecar = pytest.mark.parametrize("_eager", [Sidecar.name], indirect=True)
"""Around a wrapped site there is no storefront that could be gone by itself."""


@careful_sidecar
def test_with_the_storefront_gone_the_order_is_kept(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.shop.storefront.kill()
    with in_time():
        answer = careful.shop.buy(sku, "alice", path="/buy/{sku}")
    assert (answer.status, answer.json["state"], careful.shop.view(sku).held) == (202, "held", 1)


@eager_sidecar
def test_with_the_storefront_gone_units_may_be_given_back(eager: Trouble) -> None:
    sku = eager.shop.open_sale()
    eager.shop.storefront.kill()
    with in_time():
        answer = eager.shop.buy(sku, "alice", path="/buy/{sku}")
    assert (answer.status, told(answer), eager.shop.view(sku).free) == (503, "unavailable", 10)


@eager_sidecar
def test_units_are_not_given_back_while_the_storefront_may_have_taken_the_order(eager: Trouble) -> None:
    sku = eager.shop.open_sale()
    with in_time():
        answer = eager.shop.buy(sku, "alice", "X-Act: late", path="/buy/{sku}")
    assert (answer.status, answer.json["state"], eager.shop.view(sku).held) == (202, "held", 1)


# -- replies that are lost -------------------------------------------------------------------------------


def test_a_lost_reply_to_an_admitted_purchase_makes_one_order_and_uses_one_admission(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.shop.ask_admission(sku, "alice")  # connects, so that the next reply is the purchase's
    token = careful.shop.ask_admission(sku, "alice").json["token"]
    careful.wire.lose_replies(1)
    with in_time():
        answer = careful.shop.buy(sku, "", f"Seckill-Admission: {token}", path="/admitted/{sku}")
    assert told(answer) == "accepted"
    assert [order.id for order in careful.shop.orders(sku)] == [answer.json["order"]]
    assert told(careful.shop.buy(sku, "", f"Seckill-Admission: {token}", path="/admitted/{sku}")) == "not_admitted"
    assert careful.shop.view(sku).held == 1


def test_a_lost_reply_is_asked_for_again_and_costs_one_unit(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.wire.lose_replies(1)
    answer = careful.shop.buy(sku, "alice")
    assert (answer.status, told(answer)) == (201, "accepted")
    (order,) = careful.shop.orders(sku)
    assert (order.id, careful.shop.view(sku).held) == (answer.json["order"], 1)


def test_replies_that_stay_away_make_the_outcome_unknown_until_they_come_back(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.wire.hold_replies()
    with in_time():
        answer = careful.shop.buy(sku, "alice", path="/buy/{sku}")
    assert (answer.status, told(answer)) == (503, "unavailable")
    assert answer.json["order"].startswith(f"{sku}~")
    careful.wire.heal()
    found = eventually(lambda: known(careful.shop, answer.json["poll"]), 20)
    assert (found.json["order"], found.json["state"]) == (answer.json["order"], "held")
    assert careful.shop.view(sku).held == 1
    assert careful.shop.seen(sku) == []


def test_a_call_that_never_arrived_is_told_for_certain_when_asked(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.redis.pause()
    answer = careful.shop.buy(sku, "alice")
    assert answer.status == 503
    careful.redis.kill()  # what was on its way is gone with it
    careful.nothing_waits_to_be_written()
    careful.redis.start()
    found = eventually(lambda: known(careful.shop, answer.json["poll"]), 20)
    assert found.status == 404
    assert "did not go through, and will not" in found.json["detail"]
    assert careful.shop.view(sku).held == 0


def test_a_call_that_comes_late_finds_its_order_made(careful: Trouble) -> None:
    sku = careful.shop.open_sale()
    careful.wire.delay_calls(1)
    answer = careful.shop.buy(sku, "alice")
    assert answer.status == 201
    careful.wire.heal()
    assert careful.shop.buy(sku, "bob").status == 201  # and the late call has been answered before
    assert [order.buyer for order in careful.shop.orders(sku)] == ["alice", "bob"]


def test_a_refusal_stays_true_when_the_first_call_comes_late(careful: Trouble) -> None:
    sku = careful.shop.open_sale(total=1)
    rival = careful.shop.buy(sku, "rival").json["order"]
    careful.wire.delay_calls(1)
    answer = careful.shop.buy(sku, "alice", key=sku)
    assert (answer.status, told(answer)) == (409, "sold_out")
    careful.shop.ledger.settle(rival, State.CANCELLED, "", careful.shop.deadline())
    careful.wire.heal()
    eventually(lambda: careful.redis.ask("PING") == "+PONG")
    assert order_of(careful.shop, sku, "alice") is None
    assert careful.shop.view(sku).free == 1
