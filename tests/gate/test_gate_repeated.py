"""What the script sends again is the gate's to decide, and goes to no shop that would take it for a second purchase."""

from __future__ import annotations

from gate_client import ask
from gate_site import Shop

KEYED = ("Idempotency-Key: k", "X-User: ann")


def test_a_purchase_sent_again_is_the_same_purchase(shop: Shop) -> None:
    sku = shop.open_sale()
    answers = [shop.buy(sku, "ann", f"Seckill-Try: {word}", key="k") for word in ("first", "again")]
    assert [answer.json["verdict"] for answer in answers] == ["accepted", "replayed"]


def test_what_is_no_purchase_of_the_gates_is_not_passed_on_twice(shop: Shop) -> None:
    first = ask(shop.address, "/no/purchase/first", *KEYED, "Seckill-Try: first")
    again = ask(shop.address, "/no/purchase/again", *KEYED, "Seckill-Try: again")
    assert first.body == b"the storefront's own words"
    assert (again.status, again.json["verdict"], again.json["outcome"]) == (503, "unavailable", "unknown")
    assert "Retry-After" not in dict(again.headers)
    assert (len(shop.seen("/no/purchase/first")), len(shop.seen("/no/purchase/again"))) == (1, 0)
