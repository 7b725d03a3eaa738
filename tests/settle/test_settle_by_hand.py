"""``seckill-sidecar order``: one order, settled or shown by hand."""

from __future__ import annotations

import json

import pytest
from settle_site import Shop

from seckill_sidecar.clock import SystemClock, order_ids
from seckill_sidecar.model import Event, State

new_id = order_ids(SystemClock())


def test_an_order_is_shown_and_paid_by_hand(shop: Shop) -> None:
    order = shop.order(buyer="ann")
    shown = shop.command("show", order.id)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"{order.id}: 1 x {order.item} for 'ann', held until" in shown.stdout
    paid = shop.command("pay", order.id, "--reason", "bank transfer", "--json")
    assert paid.returncode == 0
    assert json.loads(paid.stdout)["outcome"] == "settled"
    assert json.loads(paid.stdout)["order"]["state"] == "paid"
    assert Event.decode(shop.outbox(order.item)[-1].body).reason == "bank transfer"
    again = shop.command("pay", order.id)
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "it stood so already")
    refused = shop.command("cancel", order.id)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "refused, another state stands" in refused.stderr
    assert shop.state(order) is State.PAID


def test_an_order_is_cancelled_by_hand(shop: Shop) -> None:
    order = shop.order()
    assert shop.command("cancel", order.id).returncode == 0
    assert (shop.state(order), shop.view(order.item).free) == (State.CANCELLED, 5)


def test_who_pays_by_hand_too_late_is_told_so(shop: Shop) -> None:
    order = shop.expired_order()
    late = shop.command("pay", order.id)
    assert (late.returncode, late.stdout) == (5, "")
    assert "paid too late" in late.stderr
    assert json.loads(shop.command("pay", order.id, "--json").stdout)["outcome"] == "refused"


@pytest.mark.parametrize("action", ["show", "pay", "cancel"])
def test_an_unknown_order_is_told_by_its_own_exit_code(shop: Shop, action: str) -> None:
    sku = shop.open_sale()
    unknown = new_id(sku)
    told = shop.command(action, unknown)
    assert (told.returncode, told.stdout) == (3, "")
    assert f"there is no order {unknown}" in told.stderr
    assert shop.outbox(sku) == []


@pytest.mark.parametrize("words", [("show", "x"), ("pay", "../x"), ("pay",), ("expire", "x")])
def test_a_command_that_can_not_be_is_refused(shop: Shop, words: tuple[str, ...]) -> None:
    told = shop.command(*words)
    assert (told.returncode, told.stdout) == (2, "")
    assert "Traceback" not in told.stderr


def test_a_reason_is_one_line(shop: Shop) -> None:
    order = shop.order()
    assert shop.command("pay", order.id, "--reason", "a\nb").returncode == 2
    assert shop.state(order) is State.HELD
