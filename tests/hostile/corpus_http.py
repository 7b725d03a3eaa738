"""What is no HTTP, or two kinds of it at once: malformed heads, and requests of which two servers see different ends."""

from __future__ import annotations

from collections.abc import Iterator

from hostile_words import SKU, Case, request

BUY = f"POST /buy/{SKU} HTTP/1.1\r\nHost: shop.test\r\nX-Mark: {{mark}}\r\nCookie: {{cookie}}\r\n"
SMUGGLED = BUY + "Content-Length: 0\r\n\r\n"

# fmt: off
CODINGS = [
    "Transfer-Encoding: chunked\r\nContent-Length: {n}", "Content-Length: {n}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "Transfer-Encoding:\tchunked\x0b", "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;x=1", "Transfer-Encoding\t: chunked",
    "Transfer-Encoding:\r\n chunked", "X: y\r\n Transfer-Encoding: chunked", "Transfer_Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunKed\r\nContent-Length: 5", "Transfer-Encoding: ",
    "transfer-encoding: CHUNKED\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\x00", " Transfer-Encoding: chunked",
    "Content-Encoding: chunked\r\nTransfer-Encoding: cow", "Transfer-Encoding: ch\xfbnked", "X\nTransfer-Encoding: chunked",
]
LENGTHS = [
    "Content-Length: 0\r\nContent-Length: {n}", "Content-Length: {n}\r\nContent-Length: 0", "Content-Length: -1",
    "Content-Length: +{n}", "Content-Length: 0x{n}", "Content-Length: {n}, {n}", "Content-Length: {n}, 0",
    "Content-Length: 1e1", "Content-Length: 99999999999999999999999", "Content-Length: ", "Content-Length: {n};",
    "Content-Length : {n}", "Content-Length: \x0b{n}", "Content-Length: {n} {n}", "Content-Length: 1_0",
    "Content-Length: ٣", "Content-Length: 0{n}x", "Content-Length: 18446744073709551617", "Content-Length:\r\n {n}",
    "Content_Length: {n}", "Content-Length: NaN", "Content-Length: -0", "content-length: 5\r\nCONTENT-LENGTH: 6",
    "Content-Length: {n}\x00", "Content-Length: 2147483648", "Content-Length: 4294967297",
]
CHUNKS = [
    "zz\r\nx\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n", "0x1\r\nx\r\n0\r\n\r\n", "+1\r\nx\r\n0\r\n\r\n", " 1\r\nx\r\n0\r\n\r\n",
    "1 \r\nx\r\nzz", "1;" + "a=b;" * 3000 + "\r\nx\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\nx", "100000000\r\nx", "1\nx\nzz",
    "1\r\nxx\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "1\r\nx0\r\n\r\n", "1\rx\r0\r\r", "1;\x00\r\nx\r\nzz",
    "1;\n0\r\n\r\n" + SMUGGLED, "2;\nxx\r\n1\r\nzz", "1_0\r\nx", "٣\r\nxxx\r\n0\r\n\r\n", "1\r\nx\r\n", "5\r\nx",
    "1\r\nx\r\n0\r\n" + "A: b\r\n" * 3000 + "\r\n", "f" * 20000,
]
HEADS = [
    "POST /buy/{sku}\r\n\r\n", "POST  /buy/{sku}  HTTP/1.1\r\n\r\n", "POST\t/buy/{sku}\tHTTP/1.1\r\n\r\n",
    "POST /buy/{sku} HTTP/9.9\r\n\r\n", "POST /buy/{sku} HTTP/1.1 x\r\n\r\n", "POST /buy/{sku} http/1.1\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "POST /buy/{sku} HTTP/1.1\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a b\r\n\r\n", "POST /buy/{sku} HTTP/1.1\r\nHost: a/../b\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost\r\n\r\n", "POST /buy/{sku} HTTP/1.1\r\n: x\r\nHost: a\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n", "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nA\x00: c\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n", "POST /buy/{sku} HTTP/1.1\r\n Host: a\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "POST /buy/{sku} HTTP/1.1\nHost: a\nContent-Length: x\n\n",
    "P\x00ST /buy/{sku} HTTP/1.1\r\nHost: a\r\n\r\n", "POST /buy/{sku}\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\nContent-Length: 5\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\n\r\n\r\nPOST /buy/{sku} HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET / HTTP/0.9\r\n\r\n", "POST * HTTP/1.1\r\nHost: a\r\n\r\n", "\x00" * 5000, "POST /" + "a" * 20000 + " HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nX: " + "a" * 70000 + "\r\n\r\n", "A" * 70000,
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\n" + "X: 1\r\n" * 5000 + "\r\n", "POST /buy/{sku} HTTP/1.1\r\n" + "X-{}: 1\r\n" * 500 + "\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: x\r\n\r\n",
    "POST /buy/{sku} HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nContent-Length: y\r\n\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\nPOST /buy/{sku} HTTP/1.1\r\nContent-Length: z\r\n\r\n",
    "CONNECT /buy/{sku} HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
]
METHODS = ["post", "Post", "POST2", "BUY", "P{OST", "PO ST", "TRACE", "TRACK", "DEBUG", "PROPFIND", "M-SEARCH", "x" * 300, "_POST", "POST\x0b", ""]
# fmt: on


def cases() -> Iterator[Case]:
    """All of them aim at a purchase, of a buyer whom nobody believes: whatever a server makes of them, nothing is sold."""
    body = f"quantity=0&x={_bad(SMUGGLED)}"
    for coding in CODINGS:
        head = _bad(BUY) + coding.replace("{n}", str(len(body))) + "\r\n\r\n"
        yield Case("coding", _bytes(head + f"0\r\n\r\n{_bad(SMUGGLED)}"))
        yield Case("coding, nonsense", _bytes(head + "zz\r\n" + body))
    for length in LENGTHS:
        head = _bad(BUY) + length.replace("{n}", str(len(body))) + "\r\n\r\n"
        yield Case("length", _bytes(head + body))
    for chunk in CHUNKS:
        yield Case("chunks", _bytes(_bad(BUY) + "Transfer-Encoding: chunked\r\n\r\n" + chunk))
    for head in HEADS:
        yield Case("head", _bytes(head.replace("{sku}", SKU)))
    for method in METHODS:
        yield Case("method", request(method, f"/buy/{SKU}", "Cookie: {cookie}x"), may_pass=True)
    for at in range(0, len(BUY), 5):
        yield Case("cut short", _bytes(BUY[:at]))
        yield Case("a NUL", _bytes(_bad(BUY[:at] + "\x00" + BUY[at:] + "Content-Length: 0\r\n\r\n")), may_pass=True)
        yield Case("a bare CR", _bytes(_bad(BUY[:at] + "\r" + BUY[at:] + "Content-Length: 0\r\n\r\n")), may_pass=True)
        yield Case(
            "a high byte", _bytes(_bad(BUY[:at] + "\xff" + BUY[at:] + "Content-Length: 0\r\n\r\n")), may_pass=True
        )


def _bad(text: str) -> str:
    """The same of a forged buyer."""
    return text.replace("{cookie}", "seckill_buyer=forged")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1") if all(char < "\u0100" for char in text) else text.encode()
