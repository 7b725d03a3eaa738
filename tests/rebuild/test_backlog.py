"""A Redis set back to an older state does not sell again what still waits in RabbitMQ to be written."""

from __future__ import annotations

import pytest
from rebuild_words import SKU, Shop
from stack import eventually

from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.model import Verdict

PARTS = ("item", "buyers", "orders", "keys", "due")


def set_back(shop: Shop, older: dict[str, bytes]) -> None:
    """Another server with an older copy, and gates that have just started."""
    for part in PARTS:
        shop.redis.delete(shop.key(part))
        if older[part] is not None:
            shop.redis.restore(shop.key(part), 0, older[part])
    shop.redis.hset(shop.key("item"), "verified", "another server")
    shop.restarted()


def why_refused(shop: Shop) -> str:
    """What the log would say of a purchase of now."""
    with pytest.raises(LedgerUntrusted) as refused:
        shop.try_to_buy("new")
    return str(refused.value)


def test_orders_that_only_rabbitmq_has_are_waited_for(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    older = {part: shop.redis.dump(shop.key(part)) for part in PARTS}
    bought = shop.play(6)
    events = shop.item().chain
    shop.hand_off()
    set_back(shop, older)
    assert "messages wait to be written" in why_refused(shop)
    writer = shop.site.writer()
    eventually(lambda: (writer.step(), shop.site.orders.high_water(SKU) == (1, events))[1], 20, "all is written")
    shop.restarted()
    eventually(lambda: "behind the database" in why_refused(shop), 20)
    shop.command("rebuild", SKU, "--apply", "--open")
    assert sum(shop.states().values()) == len(bought)
    assert shop.try_to_buy("new").verdict is Verdict.ACCEPTED
