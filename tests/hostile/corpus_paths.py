"""Every way to name a purchase without spelling it as one: paths, hosts, methods, and the headers that some sites obey."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hostile_words import SKU, Case, request

FORM = "Content-Type: application/x-www-form-urlencoded"
COOKIE = "Cookie: {cookie}"

# fmt: off
BEFORE = ["", "/", "/.", "/x/..", "/;", "/;a=1", "/%2e", "/x/%2e%2e", "/%20", "/index.php", "/INDEX.PHP", "/app_dev.php",
          "/x/..;", "\\", "/%5c", "/%2f", "/%252f", "/%c0%af", "/%00", "/x/%252e%252e"]
NAMES = ["buy", "BUY", "Buy", "b%75y", "b%55y", "b%2575y", "b%252575y", "buy;x=1", "buy%3bx", "buy.", "buy%20", "buy.php",
         "buy%00", "%ef%bd%82uy", "%u0062uy", "%c1%a2uy", "%f0%9d%90%9buy"]
AFTER = ["", "/", ";", ";a=1", "%20", "%00", ".", "%23", "%3fx=1", "?x=1&", "/.", "/x/..", ".html", ".php", "%2f", "//", "/index.php"]
HOSTS = ["http://shop.test", "HTTP://SHOP.TEST", "http://shop.test:80", "http://evil.test", "http:", "x:", "http://u:p@shop.test"]
OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override"]
REROUTES = ["X-Original-URL", "X-Rewrite-URL", "x-original-url"]
TARGETS = [f"/buy/{SKU}", f"buy/{SKU}", f"/BUY/{SKU}/", f"/b%75y/{SKU}", f"//buy//{SKU}", f"http://shop.test/buy/{SKU}",
           f"/buy/{SKU}?x=1", f"/x/../buy/{SKU}", f"/hello, /buy/{SKU}", f"/;x/buy/{SKU}", f"/index.php/buy/{SKU}",
           "/index.php?route=checkout/confirm", f"/buy%2f{SKU}", f"\\buy\\{SKU}", "/api/buy",
           "/./index.php?route=checkout/confirm", "/action?do=buy"]
ORIGINS = [["Sec-Fetch-Site: cross-site"], ["Sec-Fetch-Site: same-site"], ["Origin: null"], ["Origin: http://evil.test"],
           ["Sec-Fetch-Site: cross-site", "Origin: http://shop.test"], ["Origin: http://shop.test.evil.test"],
           ["Origin: http://shop.test:81"], ["Sec-Fetch-Site: x"]]
QUERIES = ["route=checkout//confirm", "ROUTE=checkout/confirm", "route=Checkout/Confirm", "%2572oute=checkout/confirm&route=checkout%2fconfirm%00",
           "route=home&route=checkout/confirm", "route=checkout/confirm/", "+route=checkout/confirm", "route%00=checkout/confirm",
           "a;route=checkout/confirm", "route=checkout%252fconfirm", "route=.%2Fcheckout/confirm", "x=1&route=checkout/confirm%20"]
# fmt: on


def cases() -> Iterator[Case]:
    """None of these is a purchase as the configuration spells it."""
    for before, name, after in _aliases():
        yield Case("alias", request("POST", f"{before}/{name}/{SKU}{after}", COOKIE))
    for query, path in product(QUERIES, ["/index.php", "/", "/INDEX.php", "/index.php/x", "//index.php"]):
        yield Case("query", request("POST", f"{path}?{query}", COOKIE, FORM, body=f"product_id={SKU}".encode()))
    yield from _other_methods()
    yield from _other_paths()
    yield from _elsewhere_in_the_request()
    for origin in ORIGINS:
        yield Case("another site's page", request("POST", f"/buy/{SKU}", COOKIE, *origin))


def _aliases() -> Iterator[tuple[str, str, str]]:
    for before, name, after in product(BEFORE, NAMES, AFTER):
        oddities = (before != "") + (name not in ("buy", "b%75y")) + (after not in ("", "?x=1&"))
        if oddities == 1 or (oddities > 1 and (len(before) * 7 + len(name) * 5 + len(after)) % 11 == 0):
            yield before, name, after
    for host in HOSTS:
        yield host, "BUY", ""


def _other_methods() -> Iterator[Case]:
    for name, method in product(OVERRIDES, ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]):
        for value in ("POST", "post", " POST ", "GET, POST"):
            yield Case("method", request(method, f"/buy/{SKU}", COOKIE, f"{name}: {value}"))
    for method, field in product(
        ["GET", "PUT", "DELETE"], ["_method=POST", "_METHOD=post", "%5fmethod=POST", "_m%65thod=POST"]
    ):
        yield Case("method in the query", request(method, f"/buy/{SKU}?{field}", COOKIE))
    for field in ("_method=PUT", "_method=put&a=b", "a=b&%5Fmethod=PUT", "_METHOD=Put"):
        yield Case("method in the form", request("POST", f"/cart/{SKU}", COOKIE, FORM, body=field.encode()))
        yield Case("method in the query", request("POST", f"/cart/{SKU}?{field}", COOKIE))
    for name in OVERRIDES:
        yield Case("method", request("POST", f"/cart/{SKU}", COOKIE, f"{name}: PUT"))
        yield Case("method", request("POST", f"/buy/{SKU}", COOKIE, f"{name}: DELETE"))
    for method in ("HEAD", "head"):
        yield Case("HEAD", request(method, f"/q?sku={SKU}", COOKIE))


def _other_paths() -> Iterator[Case]:
    for header, target in product(REROUTES, TARGETS):
        for path in ("/", "/hello", "/buy/x/y", f"/buy/{SKU}?y"):
            yield Case("path in a header", request("POST", path, COOKIE, f"{header}: {target}"))
        yield Case("two paths", request("POST", "/hello", COOKIE, "X-Rewrite-URL: /x", f"X-Original-URL: {target}"))


def _elsewhere_in_the_request() -> Iterator[Case]:
    """Fields in the query that belong in the form, and the other way round."""
    for query in ("quantity=5", "QUANTITY=5", "%71uantity=5", "quantity=5&quantity=6", "+quantity=5", "a;quantity=5"):
        yield Case("quantity in the query", request("POST", f"/buy/{SKU}?{query}", COOKIE))
        yield Case("two", request("POST", f"/buy/{SKU}?{query}", COOKIE, FORM, body=b"quantity=1"))
    for query in ("do=buy", "DO=Buy", "%64o=buy", "x;do=buy"):
        target = f"/action?{query}&sku={SKU}"
        yield Case("form in the query", request("POST", target, COOKIE))
        yield Case("form in the query", request("POST", target, COOKIE, FORM, body=b"do=look"))
        yield Case("form in the query", request("POST", target, COOKIE, "Content-Type: text/plain", body=b"x"))
    for body in ("route=checkout/confirm", "ROUTE=Checkout/Confirm", "%72oute=checkout%2fconfirm"):
        whole = f"{body}&product_id={SKU}".encode()
        yield Case("query in the form", request("POST", "/index.php", COOKIE, FORM, body=whole))
        yield Case("query in the form", request("POST", "/index.php?route=home", COOKIE, FORM, body=whole))
    yield Case("item in the form", request("POST", f"/q?sku={SKU}", COOKIE, FORM, body=b"sku=other"))
