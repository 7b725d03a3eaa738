"""What a rebuild must not forget in silence: units, payments, orders that lie elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from rebuild_words import SKU, Shop, within
from stack import RabbitMQ

from seckill_sidecar.adapters.broker.consumer import ConsumeSession
from seckill_sidecar.adapters.orders_db import SqlOrdersDb
from seckill_sidecar.errors import StoreDown, UsageError
from seckill_sidecar.model import State


def refund_all(shop: Shop) -> None:
    for parked in shop.site.orders.parked():
        shop.site.parked_messages().refund(parked.id)


def test_a_payment_that_only_the_old_ledger_knows(shop: Shop) -> None:
    order = shop.buy()
    shop.write()
    shop.settle(order, State.PAID)
    [entry] = shop.site.ledger.outbox_from(SKU)
    shop.site.ledger.handed_off(SKU, [entry.id], within())
    shop.command("item", "pause", SKU)
    with pytest.raises(UsageError, match=rf"old ledger and nowhere else \({order.id}\)"):
        shop.command("rebuild", SKU, "--apply")
    assert shop.item().paid == 1


def test_units_that_were_added_while_the_database_was_down(
    shop_with_broker: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_with_broker

    def no_answer(*_: object) -> None:
        raise StoreDown("database", "down")

    with monkeypatch.context() as patch:
        patch.setattr(SqlOrdersDb, "begin_epoch", no_answer)
        shop.command("item", "add", SKU, "50")
    shop.buy()
    shop.hand_off()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.item().total == 150


def test_what_rabbitmq_has_dead_lettered(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    order = shop.buy()
    shop.hand_off()
    shop.dead_letter()
    shop.lose_everything()
    with pytest.raises(UsageError, match="1 messages lie in RabbitMQ's parked queue"):
        shop.command("rebuild", SKU, "--apply", "--open")
    shop.site.parked_messages().collect()
    shop.site.parked_messages().retry_all()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.site.ledger.order(order.id, within()) is not None


def test_what_a_broker_has_that_stands_still_while_it_is_drained(
    shop_with_broker: Shop, rabbit_server: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_with_broker
    bought = shop.play()
    shop.hand_off()
    shop.lose_everything()
    arrived = ConsumeSession._arrived

    def and_then_still(*delivery: Any) -> None:
        rabbit_server.pause()
        arrived(*delivery)

    with monkeypatch.context() as patch:
        two_at_a_time = shop.site.settings.writer.model_copy(update={"batch": 1})
        patch.setattr(shop.site, "settings", shop.site.settings.model_copy(update={"writer": two_at_a_time}))
        patch.setattr(ConsumeSession, "_arrived", and_then_still)
        with pytest.raises(StoreDown):
            shop.command("rebuild", SKU, "--apply", "--open")
    rabbit_server.resume()
    shop.restarted()
    shop.wait_until_no_writer_is_connected()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)


def test_what_a_writer_took_that_has_connected_meanwhile(
    shop_with_broker: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_with_broker
    order = shop.buy()
    shop.hand_off()
    shop.lose_everything()
    with ExitStack() as writers:
        retire = type(shop.site.ledger).retire

        def writer_starts(*arguments: Any) -> object:
            writers.enter_context(shop.one_writer_connected())
            return retire(*arguments)

        monkeypatch.setattr(type(shop.site.ledger), "retire", writer_starts)
        with pytest.raises(UsageError, match="1 writers have connected to RabbitMQ meanwhile"):
            shop.command("rebuild", SKU, "--apply", "--open")
    monkeypatch.undo()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.site.ledger.order(order.id, within()) is not None


def test_an_order_that_was_refunded_unwritten_is_not_missed(shop: Shop) -> None:
    shop.play(3)
    shop.buy("parked", 2)
    shop.park_the_last()
    shop.write()
    refund_all(shop)
    shop.command("item", "pause", SKU)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.audit().balanced


@pytest.mark.parametrize("field", ["total", "free", "seq", "chain"])
def test_an_item_that_refuses_for_its_damage_need_not_be_paused(shop: Shop, field: str) -> None:
    bought = shop.play(3)
    shop.write()
    shop.redis.hdel(shop.key("item"), field)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.audit().balanced
