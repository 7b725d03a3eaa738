"""Bodies that are no purchase: numbers that are none, JSON and forms that can't be, cookies beyond reading."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from hostile_words import SKU, Case, request

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
MULTIPART = "Content-Type: multipart/form-data; boundary=XX"
COOKIE = "Cookie: {cookie}"

# fmt: off
NUMBERS = ["0", "-1", "+1", " 1", "1 ", "1e3", "1E0", "0x10", "0b1", "0o7", "1_0", "1,0", "1.0", "1.", ".5", "nan", "NaN", "inf",
           "Infinity", "-0", "00", "01", "10000", "99999999999999999999", "9" * 4000, "٣", "１", "²", "Ⅳ", "一", "𝟏", "१", "1\x00",
           "\x001", "1\n", "\t1", "1;2", "1&quantity=2", "1 or 1=1", "1'", "[1]", "{}", "true", "null", "", "‎1", "1\u200b", "\ufeff1",
           "1%", "%31", "$1", "(1)", "1-1", "--1", "1e-1", "2**3", "½", "٠١"]
BROKEN_JSON = ["", "{", "[", "]", "nul", "{}{}", "{'cart':1}", "{\"cart\":}", "[" * 30000, "{\"a\":" * 8000, "\"" + "x" * 60000,
               "{\"cart\": [{\"sku\": \"kettle\", \"sku\": \"kettle\"}]}", "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": NaN}]}",
               "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": 1e309}]}", "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": 1" + "0" * 50000 + "}]}",
               "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": -1}]}", "{\"cart\": [{\"sku\": {\"$ne\": 1}, \"quantity\": 1}]}",
               "{\"cart\": [{\"sku\": \"kettle\\u0000\", \"quantity\": 1}]}", "{\"cart\": [{\"sku\": \"\\ud800\", \"quantity\": 1}]}",
               "{\"cart\": {\"0\": []}}", "{\"cart\": \"kettle\"}", "{\"__proto__\": {\"sku\": 1}}", "\ufeff{}", "{\"cart\": [[[]]]}",
               "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": 1}], \"cart\": []}", "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": 1},]}",
               "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": 0.9999999999999999999}]}", "[1,2,3]", "1", "\"x\"", "// {}", "{\"cart\": [{\"sku\": \"kettle\", \"quantity\": \"1e0\"}]}"]
PARTS = ["", "--XX", "--XX--", "--XX\r\n", "--XX\r\n\r\n", "--XX\r\nnonsense\r\n\r\nx\r\n--XX--", "--YY\r\n--YY--",
         "--XX\r\nContent-Disposition: form-data; name=\"quantity\"\r\n\r\n5", "--XX\r\nContent-Disposition: form-data\r\n\r\n5\r\n--XX--",
         "--XX\r\nContent-Disposition: form-data; name=\"quantity\"; filename=\"x\"\r\n\r\n5\r\n--XX",
         "--XX\r\nContent-Disposition: form-data; name=\"quantity\"\r\n\r\n-5\r\n--XX--\r\n",
         "--XX\r\n" + "X: y\r\n" * 3000 + "\r\nx\r\n--XX--\r\n", "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" * 300 + "--XX--\r\n",
         "--XX\r\nContent-Disposition: form-data; name=\"quantity\"\r\n\r\n\x00\r\n--XX--\r\n",
         "--XX\nContent-Disposition: form-data; name=quantity\n\n5\n--XX--\n", "-" * 60000,
         "--XX\r\nContent-Disposition: form-data; name=\"quantity\"\r\nContent-Transfer-Encoding: base64\r\n\r\nNQ==\r\n--XX--\r\n"]
COOKIES = ["seckill_buyer=", "seckill_buyer", "=", ";" * 3000, "seckill_buyer=x; seckill_buyer=y", "seckill_buyer=\"", "a" * 7000,
           "seckill_buyer=v1.demo.99999999999.bWFsbG9yeQ.AAAA", "seckill_buyer=v1...." , "seckill_buyer=....", "seckill_buyer=\xff\xfe",
           "seckill_buyer=v1.demo.1.bWFsbG9yeQ.", "SECKILL_BUYER=x", "seckill_buyer=v1.none.99999999999.bQ.AA", "$Version=1; seckill_buyer=x",
           "seckill_buyer={cookie}; seckill_buyer=x", "a=b;" * 1500, "seckill_buyer=v1.demo.٣.bQ.AA", "seckill_buyer=null", "seckill_buyer=%00"]
KINDS = ["", "text/plain", "application/json", "application/xml", "multipart/mixed", "application/x-www-form-urlencodedx",
         "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"", "application/json, " + FORM[14:], "x" * 3000]
# fmt: on


def cases() -> Iterator[Case]:
    """None of these is a purchase."""
    for number in NUMBERS:
        if number:
            body = b"quantity=" + (number.encode() if "&" in number else quote(number).encode())
            yield Case("quantity", request("POST", f"/buy/{SKU}", COOKIE, FORM, body=body))
        yield Case("quantity", request("POST", f"/q?sku={SKU}&n={quote(number)}x", COOKIE) if number else _no_number())
        raw = f'{{"cart": [{{"sku": "{SKU}", "quantity": "{quote(number)}x"}}]}}'
        yield Case("quantity in JSON", request("POST", "/api/buy", COOKIE, JSON, body=raw.encode()))
    for text in BROKEN_JSON:
        yield Case("JSON", request("POST", "/api/buy", COOKIE, JSON, body=text.encode()))
    for part in PARTS:
        if part:
            item = SKU if "quantity" in part else "no-such-item"  # without a quantity, it is one
            yield Case("multipart", request("POST", f"/buy/{item}", COOKIE, MULTIPART, body=part.encode("latin-1")))
        body = part.encode("latin-1")
        yield Case("multipart", request("POST", "/action?x", COOKIE, MULTIPART, body=body), may_pass=True)
    for cookie in COOKIES:
        value = cookie.replace("{cookie}", "seckill_buyer=forged")
        yield Case("cookie", request("POST", f"/buy/{SKU}", b"Cookie: " + value.encode()))
    for kind in KINDS:
        yield Case("type", request("POST", f"/buy/{SKU}", COOKIE, f"Content-Type: {kind}", body=b"quantity=1"))
    yield Case("too large", request("POST", f"/buy/{SKU}", COOKIE, FORM, body=b"x" * 70_000))
    yield Case("many fields", request("POST", f"/buy/{SKU}", COOKIE, FORM, body=b"a=1&" * 10_000))


def _no_number() -> bytes:
    return request("POST", f"/buy/{SKU}", COOKIE, FORM, body=b"quantity=")
