"""The history goes on through a rebuild, whatever its last event was."""

from __future__ import annotations

from pathlib import Path

from rebuild_words import SKU, Shop

from seckill_sidecar.model import Settlement, State


def test_a_late_payment_as_the_last_event_is_a_link_of_the_history(shop: Shop, tmp_path: Path) -> None:
    _, cancelled, _ = shop.play(3)
    assert shop.settle(cancelled, State.PAID).outcome is Settlement.LATE
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    shop.expect_provable(tmp_path / "at once")
    shop.buy("new")
    shop.write()
    shop.expect_provable(tmp_path / "sale")


def test_a_parked_order_that_was_left_out_is_a_link_of_the_history(shop: Shop, tmp_path: Path) -> None:
    shop.play(3)
    shop.buy("parked", 2)
    shop.park_the_last()
    shop.write()
    shop.command("item", "pause", SKU)
    shop.command("rebuild", SKU, "--apply", "--open", "--leave-out")
    shop.buy("new")
    shop.write()
    assert shop.audit().balanced
    shop.expect_provable(tmp_path / "sale")


def test_an_order_that_was_refunded_unwritten_is_a_link_of_the_history(shop: Shop, tmp_path: Path) -> None:
    shop.play(3)
    shop.buy("parked", 2)
    shop.park_the_last()
    shop.write()
    [parked] = shop.site.orders.parked()
    shop.site.parked_messages().refund(parked.id)
    shop.command("item", "pause", SKU)
    shop.command("rebuild", SKU, "--apply", "--open")
    shop.buy("new")
    shop.write()
    shop.expect_provable(tmp_path / "sale")
