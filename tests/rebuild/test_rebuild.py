"""A ledger that was lost is made anew from what the database has kept, and the sale goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rebuild_words import SKU, Shop, within

from seckill_sidecar.adapters.orders_db import transactions
from seckill_sidecar.errors import LedgerUntrusted, StoreDown, UsageError
from seckill_sidecar.model import Settlement, State, Verdict
from seckill_sidecar.ports import Parked


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PAGE", 4)


def test_a_dry_run_says_what_would_become_and_changes_nothing(shop: Shop) -> None:
    shop.play()
    shop.write()
    before = shop.item()
    said = shop.command("rebuild", SKU)
    assert "a dry run: nothing was changed" in said
    assert "epoch 2, 100 units = 92 free + 4 held + 4 paid" in said
    assert "10 a buyer, held for 900 s, opens at once, closes never; from the ledger, epoch 1" in said
    assert shop.item() == before
    assert shop.try_to_buy("late").verdict is Verdict.ACCEPTED


def test_terms_that_only_redis_knew_are_the_configurations_again_and_a_dry_run_says_so(shop: Shop) -> None:
    shop.play()
    shop.write()
    shop.lose_everything()
    assert "from the configuration" in shop.command("rebuild", SKU)


def test_an_emptied_ledger_comes_back_with_every_order_and_unit(shop: Shop) -> None:
    shop.play()
    shop.write()
    before, states = shop.item(), shop.states()
    shop.lose_everything()
    assert "rebuilt as epoch 2" in shop.command("rebuild", SKU, "--apply", "--open")
    after = shop.item()
    assert (after.total, after.free, after.held, after.paid) == (before.total, before.free, before.held, before.paid)
    assert (after.per_buyer, after.hold_ms, after.status) == (before.per_buyer, before.hold_ms, "open")
    assert shop.states() == states
    assert shop.audit().balanced


def test_the_sale_goes_on_as_if_nothing_had_happened(shop: Shop) -> None:
    bought = shop.play()
    paid, cancelled, held = bought[:3]
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.settle(held, State.PAID).outcome is Settlement.SETTLED
    assert shop.settle(paid, State.PAID).outcome is Settlement.ALREADY
    assert shop.settle(cancelled, State.PAID).outcome is Settlement.LATE
    assert shop.buy("new").seq == len(bought) + 1
    shop.write()
    report = shop.audit()
    assert report.balanced, report
    assert report.total("in_database") == len(bought) + 1


def test_a_purchase_sent_again_is_still_the_same_purchase(shop: Shop) -> None:
    order = shop.buy("ann", 2, key="once")
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    again = shop.try_to_buy("ann", 2, key="once")
    assert again.verdict is Verdict.REPLAYED
    assert again.order is not None
    assert again.order.id == order.id
    assert shop.try_to_buy("ann", 9).verdict is Verdict.LIMIT_REACHED


def test_unpaid_holds_still_expire_and_their_units_come_back(shop: Shop) -> None:
    order = shop.buy("ann", 2)
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    shop.site.ledger.now_us = str((order.due_at_ms + 1) * 1000)
    assert shop.site.ledger.due(SKU, 10, within()) == [order.id]
    assert shop.settle(order, State.EXPIRED).outcome is Settlement.SETTLED
    shop.write()
    assert shop.item().free == 100
    assert shop.audit().balanced


def test_it_is_paused_until_somebody_opens_it(shop: Shop) -> None:
    shop.play()
    shop.write()
    shop.lose_everything()
    assert f"seckill-sidecar item open {SKU}" in shop.command("rebuild", SKU, "--apply")
    assert shop.try_to_buy("new").reason == "paused"
    shop.command("item", "open", SKU)
    shop.buy("new")


def test_an_item_on_sale_is_refused_and_stays_on_sale(shop: Shop) -> None:
    shop.play()
    shop.write()
    before = shop.item()
    with pytest.raises(UsageError, match=f"item pause {SKU}"):
        shop.command("rebuild", SKU, "--apply")
    assert shop.item() == before
    shop.buy("new")


def test_a_paused_item_is_rebuilt_with_what_still_lay_in_its_outbox(shop: Shop) -> None:
    bought = shop.play()
    shop.command("item", "pause", SKU)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.site.orders.last_epoch(SKU) == 2
    assert shop.audit().balanced


def test_a_ledger_set_back_to_an_older_state_comes_back_with_the_newer_orders(shop: Shop) -> None:
    shop.play(3)
    shop.write()
    older = {part: shop.redis.dump(shop.key(part)) for part in ("item", "buyers", "orders", "keys", "due")}
    shop.buy("later", 3)
    shop.write()
    for part, dump in older.items():
        shop.redis.restore(shop.key(part), 0, dump, replace=True)
    shop.redis.hset(shop.key("item"), "verified", "another server")
    shop.restarted()
    with pytest.raises(LedgerUntrusted, match=f"seckill-sidecar rebuild {SKU}"):
        shop.try_to_buy("new")
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.item().held + shop.item().paid == sum(units.held + units.paid for units in shop.site.orders.units(SKU))
    assert shop.audit().balanced


@pytest.mark.parametrize("part", ["item", "buyers", "orders", "keys", "due", "outbox"])
def test_a_key_of_the_wrong_type_is_set_aside(shop: Shop, part: str) -> None:
    bought = shop.play()
    shop.write()
    shop.command("item", "pause", SKU)
    shop.redis.delete(shop.key(part))
    shop.redis.set(shop.key(part), "rubbish")
    shop.restarted()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.redis.get(f"{shop.key(part)}:before:2") == b"rubbish"
    assert sum(shop.states().values()) == len(bought)
    shop.buy("new")


def test_an_old_ledger_that_comes_to_life_again_is_refused(shop: Shop) -> None:
    shop.play()
    shop.write()
    old = {part: shop.redis.dump(shop.key(part)) for part in ("item", "buyers", "orders", "keys", "due")}
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    for part, dump in old.items():
        shop.redis.restore(shop.key(part), 0, dump, replace=True)
    shop.redis.hset(shop.key("item"), "verified", "another server")
    shop.restarted()
    with pytest.raises(LedgerUntrusted, match="behind the database"):
        shop.try_to_buy("new")


def test_an_order_of_the_old_epoch_that_arrives_late_takes_no_unit(shop: Shop) -> None:
    shop.play(3)
    shop.write()
    shop.buy("lost")
    [late] = [entry.body for entry in shop.site.ledger.outbox_from(SKU)]
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    before = shop.site.orders.units(SKU)
    shop.site.ledger._line.ask("XADD", shop.key("outbox"), "*", "event", late, deadline=within())
    writer = shop.site.writer()
    writer.step()
    assert not writer.is_idle  # it waits whether units come free, and will be parked
    assert shop.site.orders.units(SKU) == before


def test_events_of_the_old_epoch_that_come_again_change_nothing(shop: Shop) -> None:
    shop.play()
    events = [entry.body for entry in shop.site.ledger.outbox_from(SKU)]
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open")
    before = shop.site.orders.units(SKU)
    for body in events:
        shop.site.ledger._line.ask("XADD", shop.key("outbox"), "*", "event", body, deadline=within())
    shop.write()
    assert shop.site.orders.units(SKU) == before
    assert list(shop.site.orders.parked()) == []
    assert shop.audit().balanced


def test_orders_that_are_parked_are_not_forgotten_in_silence(shop: Shop) -> None:
    shop.play(3)
    shop.buy("parked", 2)
    entries = list(shop.site.ledger.outbox_from(SKU))
    shop.site.orders.park(Parked("m", "no such column", entries[-1].body, 1))
    shop.site.ledger.handed_off(SKU, [entries[-1].id], within())
    shop.write()
    shop.command("item", "pause", SKU)
    with pytest.raises(UsageError, match="1 orders of sneaker have parked messages that wait"):
        shop.command("rebuild", SKU, "--apply")
    shop.command("item", "open", SKU)
    shop.buy("new")  # nothing was changed
    shop.write()
    shop.command("item", "pause", SKU)
    shop.command("rebuild", SKU, "--apply", "--open", "--leave-out")
    assert sum(shop.states().values()) == 4


def test_orders_that_only_the_old_ledger_has_are_not_forgotten_in_silence(shop: Shop) -> None:
    shop.play(3)
    shop.write()
    lost = shop.buy("lost")
    [entry] = shop.site.ledger.outbox_from(SKU)
    shop.site.ledger.handed_off(SKU, [entry.id], within())
    shop.command("item", "pause", SKU)
    with pytest.raises(UsageError, match=rf"old ledger and nowhere else \({lost.id}\)"):
        shop.command("rebuild", SKU, "--apply")
    assert shop.item().epoch == 1
    shop.command("rebuild", SKU, "--apply", "--leave-out")
    assert sum(shop.states().values()) == 3
    assert shop.audit().balanced


def test_a_rebuild_that_died_after_the_database_had_taken_over_is_finished_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = shop.play()
    shop.write()
    shop.command("item", "pause", SKU)
    with monkeypatch.context() as patch:
        patch.setattr(type(shop.site.ledger), "rebuild", lambda *_: (_ for _ in ()).throw(StoreDown("ledger", "died")))
        with pytest.raises(StoreDown, match=r"died; the database has epoch 2 of sneaker already.*run once more"):
            shop.command("rebuild", SKU, "--apply")
    with pytest.raises(LedgerUntrusted, match="being rebuilt"):
        shop.command("item", "open", SKU)
    assert "rebuilt as epoch 3" in shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.audit().balanced


def test_one_that_fails_before_leaves_the_item_as_it_was(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.play()
    shop.write()
    shop.command("item", "pause", SKU)
    with pytest.raises(UsageError, match="--total has to be 8 at least"):
        shop.command("rebuild", SKU, "--apply", "--total", "3")
    shop.command("item", "open", SKU)
    shop.buy("new")
    assert shop.item().epoch == 1


def test_units_that_were_added_since_are_told_by_hand(shop: Shop) -> None:
    shop.play()
    shop.write()
    shop.lose_everything()
    shop.command("rebuild", SKU, "--apply", "--open", "--total", "150")
    view = shop.item()
    assert (view.total, view.balanced) == (150, True)
    assert shop.audit().balanced


def test_a_sku_that_the_database_never_heard_of_is_named(shop: Shop) -> None:
    with pytest.raises(UsageError, match="never heard of boots"):
        shop.command("rebuild", "boots", "--apply")


def test_the_history_goes_on_through_rebuilds_and_can_be_proved(shop: Shop, tmp_path: Path) -> None:
    for number in range(3):
        shop.play(4 + number)
        shop.write()
        shop.lose_everything()
        shop.command("rebuild", SKU, "--apply", "--open")
    shop.buy("last")
    shop.write()
    assert shop.item().epoch == 4
    shop.expect_provable(tmp_path / "sale")


def test_what_lies_in_rabbitmq_is_written_first(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    bought = shop.play()
    shop.hand_off()
    shop.lose_everything()
    assert f"{len(bought) + 6} messages in RabbitMQ" in shop.command("rebuild", SKU)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.audit().balanced


def test_connected_writers_are_refused_since_what_they_have_in_hand_cannot_be_seen(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    shop.play()
    shop.hand_off()
    shop.lose_everything()
    with shop.one_writer_connected(), pytest.raises(UsageError, match="1 writers are connected"):
        shop.command("rebuild", SKU, "--apply")
    shop.wait_until_no_writer_is_connected()
    shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.audit().balanced
