"""One spelling of a purchase address, and all that a generous storefront might take for it."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seckill_sidecar.model import SKU
from seckill_sidecar.wire.paths import Template, authority_of, decode, loosen, path_of

skus = st.from_regex(SKU, fullmatch=True)
BUY = Template("/buy/{sku}")


@pytest.mark.parametrize(
    ("target", "path", "authority"),
    [
        ("/buy/x?a=/b", "/buy/x", ""),
        ("/", "/", ""),
        ("", "", ""),
        ("*", "*", ""),
        ("//buy/x", "//buy/x", ""),
        ("http://shop.test/buy/x?y", "/buy/x", "shop.test"),
        ("HTTP://me:secret@Shop.test:80/buy/x", "/buy/x", "Shop.test:80"),
        ("http://shop.test?x", "/", "shop.test"),
        ("http:/buy/x", "http:/buy/x", ""),
        ("/go?to=http://other.test/", "/go", ""),
    ],
)
def test_a_target_is_taken_apart(target: str, path: str, authority: str) -> None:
    assert (path_of(target), authority_of(target)) == (path, authority)


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("/buy/x", "/buy/x"),
        ("/%62uy/x", "/buy/x"),
        ("/caf%C3%A9", "/café"),
        ("/caf\xc3\xa9", "/café"),
        ("/a%20b", "/a b"),
        ("/a+b", "/a+b"),
    ],
)
def test_percent_encoding_is_undone_once(path: str, decoded: str) -> None:
    assert decode(path) == decoded


@pytest.mark.parametrize(
    "path",
    [
        "/a%2fb",
        "/a%00",
        "/a%0a",
        "/a\\b",
        "/a%5Cb",
        "/%2562uy",
        "/%",
        "/%zz",
        "/caf%e9",
        "/%c0%af",
        "/a%7f",
        "/\x1f",
        "/100%25",
    ],
)
def test_what_is_no_clean_text_has_no_decoded_path(path: str) -> None:
    assert decode(path) is None


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/buy/{sku}", "/buy/x", {"sku": "x"}),
        ("/buy/{sku}", "/buy/x.y", {"sku": "x.y"}),
        ("/buy/{sku}", "/buy/", None),
        ("/buy/{sku}", "/buy/x/", None),
        ("/buy/{sku}", "/Buy/x", None),
        ("/buy/{sku}", "/buy/x\n", {"sku": "x\n"}),
        ("/a.b/{sku}", "/axb/x", None),
        ("/{kind}/{sku}-{size}.html", "/shoes/kettle-red-9.html", {"kind": "shoes", "sku": "kettle-red", "size": "9"}),
        ("/index.php", "/index.php", {}),
    ],
)
def test_a_template_matches_its_own_paths_only(template: str, path: str, values: dict[str, str] | None) -> None:
    assert Template(template).match(path) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/buy/{sku}", "/BUY/x/"),
        ("/buy/{sku}", "/shop/../buy/./x;v=1"),
        ("/buy/{sku}", "/a/..;/buy/x"),
        ("/buy/{sku}", "/index.php/buy/x"),
        ("/buy/{sku}", "/buy/x/index.html"),
        ("/buy/{sku}", "/shop.php5/buy/x"),
        ("/index.php", "/"),
        ("/index.php", "/index.php/anything"),
        ("/index.php", "/index"),
        ("/index.php/buy/{sku}", "/buy/x"),
        ("/buy.php/{sku}", "/buy/x"),
        ("/buy.php/{sku}", "/buy.PHP/x"),
        ("/größe/{sku}", "/GR%C3%96%C3%9FE/x"),
        ("/buy-{sku}.html", "/buy-x"),
        ("/buy/{kind}/{sku}", "/buy/%00/x"),
        ("/buy/{kind}/{sku}", "/buy/%09/x"),
        ("/buy/{kind}/{sku}", "/buy/%2e%09/x"),
        ("/buy/{kind}/{sku}", "/buy/..%09/x"),
        ("/buy/{kind}/{sku}", "/buy/;%25/x"),
        ("/buy/{kind}/{sku}", "/buy/%3f%09/x"),
        ("/buy/{kind}/{sku}", "/buy/%5c/x"),
        ("/buy/{kind}/{sku}", "/buy/%2f/x"),
        ("/buy/{kind}/{sku}", "/BUY/%252f/x;v=1"),
        ("/buy/{kind}/now", "/buy;v=1/%09/now%00.png"),
    ],
)
def test_an_alias_might_be_the_purchase_address(template: str, path: str) -> None:
    assert Template(template).might_be(loosen(path.encode("latin-1")))


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/buy/{sku}", "/"),
        ("/buy/{sku}", "/buy"),
        ("/buy/{sku}", "/buyer/x"),
        ("/buy/{sku}", "/buy/x/reviews"),
        ("/buy/{sku}", "/buy/x/..%2f"),
        ("/buy.php/{sku}", "/login"),
        ("/buy.php/{sku}", "/login.php"),
        ("/index.php", "/login.php"),
        ("/index.php/buy/{sku}", "/index.php/sell/x"),
        ("/index.php/{sku}", "/x"),
    ],
)
def test_another_address_is_none_of_ours(template: str, path: str) -> None:
    assert not Template(template).might_be(loosen(path.encode("latin-1")))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_decoded_and_loosened(raw: bytes) -> None:
    decode(raw.decode("latin-1"))
    assert all(path.startswith("/") for path in loosen(raw))


@settings(deadline=None)
@given(st.text(alphabet="/\\.;%?#25buyBUYfx\x00 \ue000{}", max_size=40))
def test_any_mischief_with_separators_can_be_decoded_and_loosened(text: str) -> None:
    decode(text.encode("utf-8", "replace").decode("latin-1"))
    loosen(text.encode("utf-8", "replace"))


@settings(deadline=None)
@given(skus)
def test_what_is_the_purchase_address_might_be_it_too(sku: str) -> None:
    path = f"/buy/{sku}"
    assert BUY.match(path) == {"sku": sku}
    assert BUY.might_be(loosen(path.encode()))


@settings(deadline=None)
@given(skus, st.data())
def test_encoding_any_letter_keeps_the_address(sku: str, data: st.DataObject) -> None:
    path = "".join(f"%{ord(char):02x}" if char != "/" and data.draw(st.booleans()) else char for char in f"/buy/{sku}")
    assert decode(path) == f"/buy/{sku}"


@settings(deadline=None)
@given(skus, st.integers(2, 3))
def test_encoding_again_and_again_keeps_it_an_alias(sku: str, times: int) -> None:
    path = f"/buy/{sku}"
    for _ in range(times):
        path = re.sub(
            "[a-z%]", lambda char: quote(char[0], safe="") if char[0] == "%" else f"%{ord(char[0]):02x}", path
        )
    assert BUY.might_be(loosen(path.encode()))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["", ".", "x/..", "x/y/../..", ";a=1", " ", "%2e", "%20", "x/%2e%2e"]), max_size=3), skus
)
def test_detours_keep_it_an_alias(detours: list[str], sku: str) -> None:
    path = "/" + "".join(f"{detour}/" for detour in detours) + f"buy/{sku}"
    assert BUY.might_be(loosen(path.encode()))
