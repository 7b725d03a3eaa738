"""Which requests a pattern means, where headers and fields name a method beside the request line."""

from __future__ import annotations

import pytest

from seckill_sidecar.settings.schema import Route, Source
from seckill_sidecar.wire.patterns import Matcher
from seckill_sidecar.wire.request import Request

BY_FIELD = Route(name="put", path="/buy/{sku}", item=Source(path="sku"), query={"_method": "put"})


def request(query: str, **headers: str) -> Request:
    fields = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Request({"REQUEST_METHOD": "POST", "PATH_INFO": "/buy/a", "RAW_URI": f"/buy/a?{query}", **fields})


def test_a_method_in_the_very_field_that_a_pattern_asks_for_is_its_own() -> None:
    assert Matcher(BY_FIELD, 100).match(request("_method=put")) == {"sku": "a"}


@pytest.mark.parametrize(
    "headers", [{"x_http_method_override": "DELETE"}, {"x_method_override": "put"}, {"x_original_url": "/cart"}]
)
def test_a_header_that_names_another_one_all_the_same_is_not_clear(headers: dict[str, str]) -> None:
    matcher = Matcher(BY_FIELD, 100)
    assert matcher.match(request("_method=put", **headers)) is None
    assert matcher.might_match(request("_method=put", **headers))
