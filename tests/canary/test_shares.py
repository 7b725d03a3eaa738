"""A share of the buyers: always the same ones, and nobody is refused who does not belong to it."""

from __future__ import annotations

import pytest
from canary_site import NewSite, is_the_shops

from seckill_sidecar.gate.mode import Share, Stances
from seckill_sidecar.model import Mode, Override, Stance
from seckill_sidecar.settings.schema import Route

BUYERS = [f"buyer-{n}" for n in range(4000)]
SHARE = Share(b"a secret")


def among(share: Share, percent: int) -> set[str]:
    return {buyer for buyer in BUYERS if share.holds(buyer, percent)}


@pytest.mark.parametrize("percent", [1, 10, 50, 90])
def test_a_share_is_about_as_large_as_it_says(percent: int) -> None:
    assert len(among(SHARE, percent)) / len(BUYERS) == pytest.approx(percent / 100, abs=0.02)


def test_a_larger_share_has_all_of_a_smaller_one() -> None:
    assert among(SHARE, 0) == set()
    assert among(SHARE, 10) < among(SHARE, 30) < among(SHARE, 100) == set(BUYERS)


def test_who_belongs_to_it_is_the_same_everywhere_and_known_only_with_the_secret() -> None:
    assert among(Share(b"a secret"), 20) == among(SHARE, 20)
    assert among(Share(b"another secret"), 20) != among(SHARE, 20)


def test_the_gate_decides_for_its_share_and_the_shop_serves_the_others(new_site: NewSite) -> None:
    site = new_site().start(percent=40)
    site.load(total=100)
    share = Share(site.home.secret.value.encode())
    buyers = [f"buyer-{n}" for n in range(20)]
    told = {buyer: [is_the_shops(site.buy(buyer)) for _ in range(2)] for buyer in buyers}
    assert told == {buyer: [not share.holds(buyer, 40)] * 2 for buyer in buyers if not share.holds(buyer, 40)} | {
        buyer: [False, False] for buyer in buyers if share.holds(buyer, 40)
    }
    mine = sum(share.holds(buyer, 40) for buyer in buyers)
    assert [line["verdict"] for line in site.decisions()] == ["accepted", "limit_reached"] * mine
    assert site.counted("seckill_passed_on_total") == {("buy",): 2 * (len(buyers) - mine)}


def test_who_has_no_name_is_not_refused_for_a_share(new_site: NewSite) -> None:
    site = new_site().start(percent=99)
    site.load(total=5)
    assert is_the_shops(site.buy(None))
    assert site.decisions() == []


def test_a_shadow_for_a_share_decides_for_no_other(new_site: NewSite) -> None:
    site = new_site().start(mode="shadow", percent=40)
    site.load(total=100)
    share = Share(site.home.secret.value.encode())
    buyers = [f"buyer-{n}" for n in range(20)]
    assert all(is_the_shops(site.buy(buyer)) for buyer in buyers)
    mine = sum(share.holds(buyer, 40) for buyer in buyers)
    assert [(line["mode"], line["verdict"]) for line in site.decisions()] == [("shadow", "accepted")] * mine
    site.expect_untouched(100)


# -- which items nginx may answer for -----------------------------------------------------------------


def stances(**modes: tuple[str, object]) -> Stances:
    """Routes by name: their mode, and the item that they sell (or where it comes from)."""
    routes = [
        Route.model_validate({"name": name, "path": f"/{name}", "item": item, "mode": mode})
        for name, (mode, item) in modes.items()
    ]
    return Stances(routes)


def test_items_are_spared_that_a_route_sells_which_is_not_all_the_gates() -> None:
    assert not stances(a=("enforce", {"query": "sku"})).spares("kettle")
    assert stances(a=("enforce", "kettle"), b=("shadow", {"query": "sku"})).spares("kettle")
    assert stances(a=("enforce", "kettle"), b=("off", "teapot")).spares("teapot")
    assert not stances(a=("enforce", "kettle"), b=("off", "teapot")).spares("kettle")


def test_what_operators_say_counts_until_they_take_it_back() -> None:
    found = stances(a=("enforce", "kettle"))
    said = Override(Stance(Mode.ENFORCE, 50), "olga", 1)
    assert [one.now for one in found.override({"a": said})] == [said.stance]
    assert found.spares("kettle")
    assert found.override({"a": said}) == []
    assert [one.override for one in found.override({})] == [None]
    assert not found.spares("kettle")
