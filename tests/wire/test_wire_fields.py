"""Fields of queries and forms, exactly and loosely."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seckill_sidecar.wire.fields import Malformed, might_hold, parse, parse_multipart

CONFIRM = {"route": "checkout/confirm"}


def test_fields_come_by_name_in_their_order() -> None:
    assert parse(b"a=1&b=2&a=&c&%C3%A9=%26+", "it") == {"a": ["1", ""], "b": ["2"], "c": [""], "é": ["& "]}


@pytest.mark.parametrize("encoded", [b"a=%ff", b"%c3=1", "é=1".encode(), b"&".join([b"a=1"] * 201)])
def test_fields_that_cannot_be_read_are_malformed(encoded: bytes) -> None:
    with pytest.raises(Malformed, match="the query can't be read"):
        parse(encoded, "the query")


@pytest.mark.parametrize(
    "encoded",
    [
        b"route=checkout/confirm",
        b"a=1;route=checkout%2fconfirm",
        b"+Route=/checkout//confirm/",
        b"route%00=checkout/confirm%00",
        b"route=a&route=checkout/confirm",
        b"route=%2563heckout/confirm",
    ],
)
def test_a_generous_reader_might_find_the_field(encoded: bytes) -> None:
    assert might_hold(encoded, CONFIRM)


@pytest.mark.parametrize(
    "encoded",
    [b"", b"route=", b"route=checkout", b"root=checkout/confirm", b"route=product%ff", b"routecheckout/confirm"],
)
def test_nobody_finds_a_field_that_is_not_there(encoded: bytes) -> None:
    assert not might_hold(encoded, CONFIRM)


def test_all_wanted_fields_have_to_be_there() -> None:
    assert might_hold(b"a=1&b=2", {"a": "1", "b": "2"})
    assert not might_hold(b"a=1", {"a": "1", "b": "2"})


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(encoded: bytes) -> None:
    might_hold(encoded, CONFIRM)
    try:
        fields = parse(encoded, "it")
    except Malformed:
        return
    assert all(values for values in fields.values())


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["multipart/form-data; boundary=x", "multipart/form-data", "", "x; boundary="]),
)
def test_any_multipart_body_is_read_or_malformed(body: bytes, content_type: str) -> None:
    try:
        parse_multipart(b"--x\r\n" + body, content_type)
    except Malformed:
        return


def test_files_are_no_fields() -> None:
    parts = [b'name="sku"\r\n\r\nkettle', b'name="photo"; filename="a.png"\r\n\r\n\xff\xd8', b'name="sku"\r\n\r\n']
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--x--\r\n"
    assert parse_multipart(body, "multipart/form-data; boundary=x") == {"sku": ["kettle", ""]}
