"""Items in bodies (``nginx.body: njs``): nginx answers for one of them, and never for what the gate reads otherwise."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from demo.line import Line, Reply
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nginx_words import BUY, SIDECAR, Front, settings_of, site
from stack import free_port

from seckill_sidecar.gate.route import Routes
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.values import Values

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
LIMIT = 65_536
ROUTES: list[dict[str, Any]] = [
    BUY,
    {"name": "cart", "path": "/cart", "item": {"form": "sku"}, "query": {"route": "buy"}, "on_accept": "json"},
    {"name": "keyed", "path": "/keyed", "item": {"form": "sku"}, "idempotency": {"form": "key"}, "on_accept": "json"},
    {"name": "odd", "path": "/odd", "item": {"form": "s$k\"u'\\ 京"}, "on_accept": "json"},
    {"name": "action", "path": "/action/{sku}", "item": {"path": "sku"}, "form": {"do": "buy $1"}, "on_accept": "json"},
    {
        "name": "api",
        "path": "/api",
        "item": {"json": "cart.0.sku"},
        "idempotency": {"json": "key"},
        "on_accept": "json",
    },
    {"name": "vague", "path": "/v", "item": {"cookie": "s.ku"}, "idempotency": {"form": "key"}, "on_accept": "json"},
]
NJS = {"body": "njs"}


@pytest.fixture(scope="module", params=[{}, {"pace": "1000000/s burst 1000000"}], ids=["", "paced"])
def _front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with site(tmp_path_factory.mktemp("nginx"), routes=ROUTES, nginx={**NJS, **request.param}) as front:
        yield front
        log = front.nginx.log_tail()
        assert "exited on signal" not in log
        assert "[crit]" not in log


@pytest.fixture
def front(_front: Front) -> Iterator[Front]:
    _front.mark("sold_out")
    yield _front
    _front.markers.clear()


def send(front: Front, path: str, body: bytes, kind: str = FORM, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return front.ask("POST", path, {"Content-Type": kind, **named}, body)


def document(**members: Any) -> bytes:
    return json.dumps({"cart": [{"sku": "kettle"}], **members}).encode()


# -- one item is answered for --------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["sold_out", "closed", "not_open"])
@pytest.mark.parametrize(("path", "kind", "body"), [("/keyed", FORM, b"sku=kettle"), ("/api", JSON, document())])
def test_a_marked_item_in_a_body_is_answered_as_one_in_the_path_is(
    front: Front, reason: str, path: str, kind: str, body: bytes
) -> None:
    front.mark(reason)
    asked = len(front.sidecar.requests)
    for words in ({}, {"Accept": "text/html"}):
        told, by_path = send(front, path, body, kind, **words), front.buy(**words)
        assert (told.status, told.body, shown(told)) == (409, by_path.body, shown(by_path))
    assert len(front.sidecar.requests) == asked


def test_one_of_several_sites_reads_bodies_by_names_of_its_own(tmp_path: Path) -> None:
    with site(tmp_path, called="red", routes=ROUTES, nginx=NJS) as front:
        front.mark("sold_out")
        assert (tmp_path / "seckill-red.js").exists()
        assert send(front, "/keyed", b"sku=kettle").status == 409
        assert send(front, "/keyed", b"sku=teapot").body == SIDECAR


def shown(reply: Reply) -> list[tuple[str, str]]:
    return sorted(header for header in reply.headers if header[0] != "date")


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/cart?route=buy", FORM, b"sku=teapot"),
        ("/keyed", FORM, b"quantity=1&sku=teapot"),
        ("/api", JSON, document(cart=[{"sku": "teapot"}])),
        ("/action/teapot", FORM, b"do=buy+%241"),
    ],
)
def test_another_item_reaches_the_gate_with_its_body_as_it_was_sent(
    front: Front, path: str, kind: str, body: bytes
) -> None:
    assert send(front, path, body, kind).body == SIDECAR
    seen = front.sidecar.requests[-1]
    assert (seen.path, seen.body, seen.headers["content-type"]) == (path, body, kind)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/cart?route=buy", b"sku=kettle"),
        ("/cart?route=buy", b"s%6bu=k%65ttle&note=%E4%BA%AC+x"),
        ("/cart?route=buy", b"&&sku=kettle&quantity"),
        ("/odd", quote_plus("s$k\"u'\\ 京").encode() + b"=kettle"),
        ("/action/kettle", b"do=buy+%241"),
    ],
)
def test_a_form_is_read_as_the_gate_reads_it(front: Front, path: str, body: bytes) -> None:
    for kind in (FORM, f"{FORM}; charset=UTF-8", FORM.title()):
        assert send(front, path, body, kind).status == 409


@pytest.mark.parametrize(
    "body",
    [
        document(),
        b' {"a" : [1.5e3, true, null, "\\n\\u4eac"], "cart":[ {"sku":"k\\u0065ttle"} ]}\r\n',
        '{"to": "京", "__proto__": {"key": 1}, "cart": [{"sku": "kettle"}]}'.encode(),
        document(key=None),
    ],
)
def test_json_is_read_as_the_gate_reads_it(front: Front, body: bytes) -> None:
    for kind in (JSON, "application/json; charset=utf-8", "application/vnd.shop+json"):
        assert send(front, "/api", body, kind).status == 409


def test_the_next_answer_after_a_marker_went_is_the_gates(front: Front) -> None:
    for _ in range(20):
        front.mark("sold_out")
        assert send(front, "/keyed", b"sku=kettle").status == 409
        front.mark()
        assert send(front, "/keyed", b"sku=kettle").body == SIDECAR


def test_once_all_items_are_gone_no_body_is_waited_for(front: Front) -> None:
    front.mark_all("sold_out")
    with socket.create_connection(front.nginx.address, timeout=20) as line:
        line.sendall(b"POST /cart?route=buy HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 409")


def test_without_a_sidecar_only_what_is_not_marked_hears_of_that(tmp_path_factory: pytest.TempPathFactory) -> None:
    away = {"listen": f"127.0.0.1:{free_port()}"}
    with site(tmp_path_factory.mktemp("nginx"), routes=ROUTES, nginx=NJS, serve=away) as front:
        front.mark("sold_out")
        assert send(front, "/keyed", b"sku=kettle").status == 409
        assert send(front, "/keyed", b"sku=teapot").status == 503


# -- whatever else it is, the gate judges --------------------------------------------------------------


@pytest.mark.parametrize("passes", [{"Idempotency_Key": "k"}, {"Cookie": "a=b; seckill_order=x"}])
def test_who_may_hold_an_order_passes(front: Front, passes: dict[str, str]) -> None:
    assert send(front, "/cart?route=buy", b"sku=kettle", **passes).body == SIDECAR
    assert send(front, "/action/kettle", b"do=buy+%241", **passes).body == SIDECAR


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/keyed", FORM, b"sku=kettle&key=k"),
        ("/keyed", FORM, b"sku=kettle&k%65y="),
        ("/api", JSON, document(key="k")),
        ("/api", JSON, b'{"k\\u0065y": 1, "cart": [{"sku": "kettle"}]}'),
        ("/v", FORM, b"sku=kettle"),
        ("/v", FORM, b"sku=kettle&key=k"),
    ],
)
def test_who_carries_a_key_in_the_body_passes(front: Front, path: str, kind: str, body: bytes) -> None:
    front.mark_all("sold_out")
    assert send(front, path, body, kind).body == SIDECAR


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"sku",
        b"sku=",
        b"sku=kettle&sku=kettle",
        b"sku=teapot&sku=kettle",
        b"sku=kettle&s%6bu=teapot",
        b"sku=kettle&sku",
        b"sku=kettle%",
        b"sku=kettle&a=%zz",
        b"sku=kettle&a=%ff",
        b"sku=kettle&a=%c0%af",
        b"sku=kettle&a=%ed%a0%80",
        b"sku=kettle&a=\xe4\xba\xac",
        b"sku=kettle\n",
        b"sku=kettle%0a",
        b"sku=kettle%00",
        b"sku=kettle+",
        b"sku=+kettle",
        b"sku=Kettle",
        b"SKU=kettle",
        b"sku[]=kettle",
        b"sku=kettle;sku=teapot",
        b"sku=../sold_out/kettle",
        b"sku=..%2fsold_out%2fkettle",
        b"sku=./kettle",
        b"sku=_all",
        b"sku=%2bkettle",
        b"sku=-",
        b"sku=k\x00ettle",
        b"sku=" + b"k" * 65,
        b"sku=kettle" + b"&a" * 200,
        b'{"sku": "kettle"}',
    ],
)
def test_a_form_that_the_gate_may_read_otherwise_is_the_gates(front: Front, body: bytes) -> None:
    front.mark("sold_out", name="k" * 65)
    assert send(front, "/keyed", body).body == SIDECAR
    assert front.sidecar.requests[-1].body == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"kettle"',
        b"kettle",
        b"{",
        document()[:-1],
        document() + b"x",
        b"\xef\xbb\xbf" + document(),
        document(cart=[]),
        document(cart={"1": {"sku": "kettle"}}),
        document(cart=[{"sku": ["kettle"]}]),
        document(cart=[{"sku": {"kettle": "kettle"}}]),
        document(cart=[{"sku": "../sold_out/kettle"}]),
        document(cart=[{"sku": "kettle\n"}]),
        document(cart=[{"sku": "kettle\0"}]),
        document(cart=[{"sku": "_all"}]),
        b'{"cart": [{"sku": "teapot", "sku": "kettle"}]}',
        b'{"cart": [{"sku": "teapot"}], "cart": [{"sku": "kettle"}]}',
        b'{"cart": [{"sku": "kettle"}], "a": {"b": 1, "\\u0062": 2}}',
        b'{"cart": [{"sku": "kettle"}], "a": NaN}',
        b'{"cart": [{"sku": "kettle"}], "a": -Infinity}',
        b'{"cart": [{"sku": "kettle"}], "a": 01}',
        b'{"cart": [{"sku": "kettle"}], "a": .5}',
        b'{"cart": [{"sku": "kettle"}], "a": 1.}',
        b'{"cart": [{"sku": "kettle"}], "a": +1}',
        b'{"cart": [{"sku": "kettle"}], "a": 0x1}',
        b'{"cart": [{"sku": "kettle"}], "a": "\\x41"}',
        b'{"cart": [{"sku": "kettle"}], "a": "\t"}',
        b'{"cart": [{"sku": "kettle"}], "a": "\xff"}',
        b'{"cart": [{"sku": "kettle"}], "a": 1,}',
        b"{'cart': [{'sku': 'kettle'}]}",
        b'{"cart": [{"sku": "kettle"}] /* x */}',
        b'{"cart": [{"sku": "kettle"}], "a": ' + b"9" * 5000 + b"}",
        b'{"cart": [{"sku": "kettle"}], "a": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        "\ufeff{}".encode(),
        document().decode().encode("utf-16"),
        b"sku=kettle",
    ],
)
def test_json_that_the_gate_may_read_otherwise_is_the_gates(front: Front, body: bytes) -> None:
    assert send(front, "/api", body, JSON).body == SIDECAR
    assert front.sidecar.requests[-1].body == body


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "multipart/form-data; boundary=x", f"{JSON}x", f"{FORM},{JSON}", f"x{FORM}", f"{FORM}\t", JSON],
)
def test_a_form_of_another_type_is_the_gates(front: Front, kind: str) -> None:
    assert send(front, "/keyed", b"sku=kettle", kind).body == SIDECAR


@pytest.mark.parametrize(("path", "body"), [("/action/kettle", b"do=sell"), ("/action/kettle", b"do=buy+%241&do=x")])
def test_what_a_form_shows_to_be_no_purchase_is_the_gates(front: Front, path: str, body: bytes) -> None:
    assert send(front, path, body).body == SIDECAR


def test_bodies_that_are_long_are_not_read(front: Front) -> None:
    for size in (9_999, 10_000, 60_000):
        body = b"sku=kettle&a=" + b"x" * (size - 13)
        assert (send(front, "/keyed", body).status == 409) == (size == 9_999)
        if size > 9_999:
            assert front.sidecar.requests[-1].body == body
    assert send(front, "/keyed", b"sku=kettle&a=" + b"x" * 1_000_000).status == 413


# -- on the wire ---------------------------------------------------------------------------------------

ON_THE_WIRE = {
    "chunked": (b"POST /keyed HTTP/1.1", b"Transfer-Encoding: chunked", b"a\r\nsku=kettle\r\n0\r\n\r\n", b"200"),
    "in two chunks": (
        b"POST /keyed HTTP/1.1",
        b"Transfer-Encoding: chunked",
        b"5\r\nsku=k\r\n5\r\nettle\r\n0\r\n\r\n",
        b"200",
    ),
    "HTTP/1.0": (b"POST /keyed HTTP/1.0", b"Content-Length: 10", b"sku=kettle", b"409"),
    "no length": (b"POST /keyed HTTP/1.0", b"X: y", b"sku=kettle", b"200"),
    "length twice": (b"POST /keyed HTTP/1.1", b"Content-Length: 10\r\nContent-Length: 3", b"sku=kettle", b"400"),
    "length and chunked": (
        b"POST /keyed HTTP/1.1",
        b"Content-Length: 10\r\nTransfer-Encoding: chunked",
        b"a\r\nsku=kettle\r\n0\r\n\r\n",
        b"400",
    ),
    "type twice": (b"POST /keyed HTTP/1.1", b"Content-Length: 10\r\nContent-Type: text/plain", b"sku=kettle", b"200"),
    "absolute": (b"POST http://x/keyed HTTP/1.1", b"Content-Length: 10", b"sku=kettle", b"409"),
}


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_the_length_is_what_http_says(front: Front, name: str) -> None:
    line, headers, body, status = ON_THE_WIRE[name]
    head = b"\r\n".join([line, b"Host: x", b"Connection: close", f"Content-Type: {FORM}".encode(), headers, b"", b""])
    with socket.create_connection(front.nginx.address, timeout=20) as connection:
        connection.sendall(head + body)
        assert connection.makefile("rb").readline().split()[1] == status


def test_requests_sent_at_once_are_answered_in_their_order(front: Front) -> None:
    def purchase(body: bytes, path: bytes = b"/keyed") -> bytes:
        head = [b"POST " + path + b" HTTP/1.1", b"Host: x", f"Content-Type: {FORM}".encode()]
        return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])

    sent = [b"sku=kettle", b"sku=teapot", b"sku=kettle&sku=kettle", b"sku=kettle&a=1", b"sku=teapot"]
    with socket.create_connection(front.nginx.address, timeout=20) as connection:
        connection.sendall(b"".join(map(purchase, sent)))
        replies = connection.makefile("rb")
        statuses = []
        while len(statuses) < len(sent):
            head = replies.readline()
            assert head.startswith(b"HTTP/1.1 ")
            statuses.append(head.split()[1])
            fields = dict(line.lower().split(b": ", 1) for line in iter(replies.readline, b"\r\n"))
            replies.read(int(fields[b"content-length"]))
    assert statuses == [b"409", b"200", b"200", b"409", b"200"]


def test_a_body_in_small_pieces_is_read_whole(front: Front) -> None:
    head = f"POST /keyed HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 10\r\n\r\n".encode()
    with socket.create_connection(front.nginx.address, timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head + b"sku=kettle":
            connection.sendall(bytes([byte]))
        assert connection.makefile("rb").readline().split()[1] == b"409"


# -- nothing that is sent makes nginx say what the gate would not ---------------------------------------

_PIECES = st.sampled_from(
    ["sku", "s%6bu", "key", "do", "kettle", "k%65ttle", "teapot", "=", "=", "&", "&", "+", "%", "%2", "%26", "%3d",
     "%00", "%ff", "%e4%ba%ac", "%c0%80", ";", "\n", " ", "\t", "\x00", "é", "?", "#", "/", "..", "[]", "1"]
)  # fmt: skip
FORMS = st.one_of(
    st.lists(_PIECES, max_size=12).map("".join),
    st.lists(_PIECES, max_size=4).map(lambda pieces: "sku=kettle&" + "".join(pieces)),
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("kettle")
_NAMES = st.sampled_from(["cart", "sku", "0", "key", "__proto__", "constructor", "length", "é", ""])
_TREES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3))
_PURCHASES = st.fixed_dictionaries({"cart": st.just([{"sku": "kettle"}])}, optional={"key": _LEAVES, "x": _TREES})


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """JSON that means the kettle, or something else, a little damaged."""
    sound = json.dumps(draw(_PURCHASES | _TREES), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        return sound
    at = draw(st.integers(0, len(sound)))
    cut = draw(st.integers(0, 2))
    inserted = draw(
        st.sampled_from([b"", b'"', b",", b"0", b"\\", b"\xff", b"\n", b"}", b'"sku": "x", ', b"-", b"e", b"."])
    )
    return sound[:at] + inserted + sound[at + cut :]


def gate_reads(path: str, kind: str, body: bytes) -> str | None:
    """The item of which the gate would say that it is sold out, for certain: without a key that names an order."""
    environ = {"REQUEST_METHOD": "POST", "RAW_URI": path, "PATH_INFO": path, "CONTENT_TYPE": kind}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    try:
        match = Routes(settings_of(routes=ROUTES).routes, LIMIT).match(request := Request(environ))
        assert match is not None
        values = Values(request, match.path_values, LIMIT)
        assert match.route.idempotency is not None
        assert not isinstance(match.route.item, str)
        return values.text(match.route.item) if values.value(match.route.idempotency) is None else None
    except (Refusal, Malformed):
        return None


fuzzing = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(FORMS)
@fuzzing
def test_no_form_is_answered_for_that_the_gate_would_not_refuse_alike(front: Front, text: str) -> None:
    check(front, "/keyed", FORM, text.encode())


@given(documents())
@example(b'{"cart":[{"sku":"kettle"}],"cart":[{"sku":"kettle"}]}')
@fuzzing
def test_no_json_is_answered_for_that_the_gate_would_not_refuse_alike(front: Front, body: bytes) -> None:
    check(front, "/api", JSON, body)


def check(front: Front, path: str, kind: str, body: bytes) -> None:
    with closing(Line(front.nginx.address, timeout=20)) as line:
        told = line.ask("POST", path, {"Content-Type": kind}, body)
    assert told.body == SIDECAR or gate_reads(path, kind, body) == "kettle"
