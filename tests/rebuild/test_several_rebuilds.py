"""Rebuilds of one item that are at work at the same time: one of them wins, and no unit is sold twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rebuild_words import SKU, Shop

from seckill_sidecar.adapters.ledger import rebuilding
from seckill_sidecar.adapters.ledger.rebuilding import Rebuilding
from seckill_sidecar.adapters.orders_db import SqlOrdersDb
from seckill_sidecar.errors import LedgerUntrusted, OutcomeUnknown, StoreDown, UsageError

OTHER = "another rebuild of sneaker has begun"


def before(patch: pytest.MonkeyPatch, owner: type, method: str, meanwhile: Callable[[], object]) -> None:
    """The next call of a method waits for what happens meanwhile; later ones do not."""
    real = getattr(owner, method)

    def first(*arguments: Any) -> Any:
        patch.setattr(owner, method, real)
        meanwhile()
        return real(*arguments)

    patch.setattr(owner, method, first)


def dying(error: Exception) -> Callable[..., Any]:
    def die(*_: object) -> None:
        raise error

    return die


def rebuild_that_dies(shop: Shop, patch: pytest.MonkeyPatch, at: type, method: str) -> None:
    with patch.context() as only_now:
        only_now.setattr(at, method, dying(StoreDown("ledger", "died")))
        with pytest.raises(StoreDown, match="died"):
            shop.command("rebuild", SKU, "--apply", "--open")


def test_one_that_was_overtaken_does_not_put_its_epoch_on_sale(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bought = shop.play(6)
    shop.write()
    shop.command("item", "pause", SKU)
    before(monkeypatch, Rebuilding, "_swap", lambda: rebuild_that_dies(shop, monkeypatch, Rebuilding, "_swap"))
    with pytest.raises(UsageError, match=OTHER):
        shop.command("rebuild", SKU, "--apply", "--open")
    with pytest.raises(LedgerUntrusted, match="being rebuilt"):
        shop.try_to_buy("new")
    assert "epoch 4" in shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.audit().balanced


def test_two_that_fill_at_once_do_not_mix_their_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        shop.buy("ann")
    shop.write()
    shop.command("item", "pause", SKU)
    monkeypatch.setattr(rebuilding, "_AT_ONCE", 3)
    before(monkeypatch, Rebuilding, "_swap", lambda: shop.command("rebuild", SKU, "--apply", "--open"))
    with pytest.raises(UsageError, match=OTHER):
        shop.command("rebuild", SKU, "--apply", "--open")
    assert shop.redis.hgetall(shop.key("buyers")) == {b"ann": b"6"}
    shop.buy("ann", 4)
    shop.write()
    assert shop.audit().balanced


def test_one_that_fails_does_not_open_what_another_has_retired(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.play(3)
    shop.write()
    shop.redis.hset(shop.key("item"), "verified", "another server")
    shop.restarted()
    refusals = []

    def fail_and_buy() -> None:
        with pytest.raises(UsageError, match="--total has to be 2 at least"):
            shop.command("rebuild", SKU, "--apply", "--total", "1")
        with pytest.raises(LedgerUntrusted, match="being rebuilt") as refused:
            shop.try_to_buy("between")
        refusals.append(refused)

    before(monkeypatch, SqlOrdersDb, "succeed", fail_and_buy)
    with pytest.raises(UsageError, match=OTHER):
        shop.command("rebuild", SKU, "--apply", "--open")
    assert refusals
    shop.command("rebuild", SKU, "--apply", "--open")
    shop.buy("after")
    shop.write()
    assert shop.audit().balanced


def test_the_database_lets_one_take_over_only(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.play(3)
    shop.write()
    shop.command("item", "pause", SKU)
    before(monkeypatch, SqlOrdersDb, "succeed", lambda: shop.command("rebuild", SKU, "--apply", "--open"))
    with pytest.raises(UsageError, match="has come to epoch 2 meanwhile"):
        shop.command("rebuild", SKU, "--apply", "--open")
    shop.buy("new")
    shop.write()
    assert shop.audit().balanced


def test_a_commit_that_nobody_heard_of_keeps_the_old_ledger_shut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bought = shop.play(3)
    shop.write()
    shop.command("item", "pause", SKU)
    with monkeypatch.context() as patch:
        patch.setattr(SqlOrdersDb, "succeed", dying(OutcomeUnknown("database", "commit: no reply")))
        with pytest.raises(OutcomeUnknown):
            shop.command("rebuild", SKU, "--apply", "--open")
    with pytest.raises(LedgerUntrusted, match="being rebuilt"):
        shop.command("item", "open", SKU)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
