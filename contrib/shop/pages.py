"""The shop's pages as HTML. Everything that came from outside is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from shop.signature import SignedPurchase

PRODUCTS = {
    "flash-phone": ("Flash phone", "The phone that everybody wants at eight o'clock sharp."),
    "green-teapot": ("Green teapot", "A teapot. It is green. There are plenty."),
}
"""Name and description by SKU."""

_FRAME = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · The Old Shop</title>
<link rel="stylesheet" href="/style.css">{script}</head>
<body>
<header><a href="/">The Old Shop</a> <a href="/orders">orders</a> {greeting}</header>
<main><h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

STYLE = """body { font-family: Georgia, serif; max-width: 40rem; margin: 2rem auto; background: #fffdf5 }
header { border-bottom: 3px double #a52; padding-bottom: .5rem; display: flex; gap: 1rem }
td, th { text-align: left; padding: .2rem 1rem .2rem 0 }
.order { font-family: monospace; background: #efe; padding: .5rem; overflow-wrap: anywhere }
[data-seckill-status]:not(:empty) { border-left: 4px solid #a52; background: #fff; padding: .5rem 1rem }
"""

_SCRIPT = '\n<script src="/seckill/seckill.js" defer></script>'
"""The sidecar's, which makes the buy form a live one. The form works without it, too."""

_LOGIN = """<form method="post" action="/login"><input name="name" aria-label="your name" maxlength="64"
placeholder="your name" required>
<button>Log in</button></form>"""


def front(name: str | None) -> str:
    """The front page: all products."""
    links = "\n".join(f'<li><a href="/product/{sku}">{title}</a></li>' for sku, (title, _) in PRODUCTS.items())
    return _page("Welcome", f"<ul>\n{links}\n</ul>", name)


def product(sku: str, name: str | None) -> str:
    """One product with its buy form."""
    title, description = PRODUCTS[sku]
    form = f"""<p>{description}</p>
<form method="post" action="/buy/{sku}" data-seckill>
<label>How many? <input name="quantity" type="number" value="1" min="1" max="9"></label>
<button>Buy now</button>
</form>"""
    return _page(title, form, name, _SCRIPT)


def thanks(purchase: SignedPurchase, name: str | None) -> str:
    """What a buyer sees who got it. ``data-order`` is for whoever reads the page by program."""
    order = escape(purchase.order)
    body = f"""<p>Thank you, {escape(purchase.buyer)}: {purchase.quantity} × {escape(purchase.item)} is yours.</p>
<p class="order" data-order="{order}">Order {order}</p>"""
    return _page("You got it", body, name)


def orders(newest: Iterable[SignedPurchase], name: str | None) -> str:
    """The list of orders that the shop got."""
    rows = "\n".join(
        f"<tr><td>{escape(one.order)}</td><td>{escape(one.item)}</td>"
        f"<td>{escape(one.buyer)}</td><td>{one.quantity}</td></tr>"
        for one in newest
    )
    head = "<tr><th>order</th><th>item</th><th>buyer</th><th>units</th></tr>"
    return _page("Orders", f"<table>\n{head}\n{rows}\n</table>", name)


def trouble(title: str, text: str) -> str:
    """An error page."""
    return _page(title, f"<p>{escape(text)}</p>", None)


def _page(title: str, body: str, name: str | None, script: str = "") -> str:
    greeting = f"Hello, {escape(name)}." if name else _LOGIN
    return _FRAME.format(title=escape(title), greeting=greeting, body=body, script=script)
