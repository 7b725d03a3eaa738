"""What happens to a payment that can't be settled at once, and to its event."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from settle_site import Shop
from stack import eventually
from stack.ports import free_port

from seckill_sidecar.clock import ManualClock, SystemClock, order_ids
from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.gate.settle import Promptly, Wish
from seckill_sidecar.model import Event, EventKind, State
from seckill_sidecar.settings import Settings
from seckill_sidecar.wiring import Site

new_id = order_ids(SystemClock())
pytestmark = pytest.mark.gevent_too


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What the program says."""
    monkeypatch.setattr(logging.getLogger("seckill_sidecar"), "propagate", True)
    caplog.set_level(logging.INFO, "seckill_sidecar")
    return caplog


@pytest.fixture
def nowhere() -> Iterator[Site]:
    """A site whose Redis does not exist; its time passes as fast as it is slept away."""
    site = Site(_with_stores({"redis": f"redis://127.0.0.1:{free_port()}/0"}), ManualClock())
    yield site
    site.ledger.close()


def _with_stores(stores: dict[str, Any], **sections: Any) -> Settings:
    return Settings.model_validate({"stores": stores, **sections})


def test_it_is_tried_again_a_bounded_number_of_times_and_then_somebody_is_told(
    nowhere: Site, log: pytest.LogCaptureFixture
) -> None:
    order_id = new_id("sku")
    Promptly(nowhere.settler, nowhere.clock).settle(Wish(order_id, State.PAID, "test"))
    eventually(lambda: f"seckill-sidecar order pay {order_id}" in log.text, what="it is given up")
    tries = [record for record in log.records if record.message.startswith("not settled")]
    assert len(tries) == 26
    assert all(record.order_id == order_id for record in tries)  # type: ignore[attr-defined]


def test_many_that_fail_at_once_are_each_tried_again(nowhere: Site, log: pytest.LogCaptureFixture) -> None:
    promptly = Promptly(nowhere.settler, nowhere.clock)
    ids = [new_id("sku") for _ in range(20)]
    for order_id in ids:
        promptly.settle(Wish(order_id, State.CANCELLED, "test"))
    for order_id in ids:
        eventually(lambda order_id=order_id: f"order cancel {order_id}" in log.text, what="it is given up")


def test_a_ledger_that_was_emptied_does_not_call_its_orders_unknown(shop: Shop) -> None:
    order_id = new_id("emptied")
    with pytest.raises(LedgerUntrusted, match="does not know the item emptied"):
        shop.site.settler.settle(Wish(order_id, State.PAID, "test"), 5.0)


def test_the_event_is_handed_to_the_broker_at_once(shop: Shop, rabbit_url: str) -> None:
    names = {part: f"settle.{part}" for part in ("exchange", "queue", "parked")}
    stores = shop.site.settings.stores.model_dump() | {"broker": rabbit_url}
    site = Site(_with_stores(stores, broker=names, ledger={"prefix": "settle"}, timeouts={"broker": "10s"}))
    order = shop.order()
    try:
        site.settler.settle(Wish(order.id, State.PAID, "test"), 10.0)
        (delivery,) = site.consumer.receive(10, 5.0)
        site.consumer.ack([delivery])
        event = Event.decode(delivery.body)
        assert (event.kind, event.order.id, delivery.message_id) == (EventKind.PAID, order.id, f"{order.id}:2")
    finally:
        site.consumer.close()
        assert site.broker is not None
        site.broker.close()
        site.ledger.close()
    assert [Event.decode(entry.body).kind for entry in shop.outbox(order.item)] == [EventKind.ACCEPTED]
