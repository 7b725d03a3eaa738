"""Headers by which a client names another path or method than it asks for: which of them may mean a purchase.

A path in a header leads past every location, so what might be a purchase is refused before one is chosen. A method in
a header or in ``_method`` only means that the gate has to look at the request.
"""

from __future__ import annotations

from collections.abc import Iterator

from seckill_sidecar.ops.nginx.patterns import loosely
from seckill_sidecar.settings.schema import RequestKind, Settings
from seckill_sidecar.wire.reroutes import METHOD_HEADERS, PATH_HEADERS

REROUTED, ELSEWHERE = "$seckill_rerouted", "$seckill_elsewhere"
"""Variables that are not empty if a request is to be refused; if it can't be a purchase by its method."""
_BEGINS = r"(?:^|[/|,.;%\x5c\x01-\x20])"
_ENCODED = r"%(?:5f|[46][1-9a-f]|[57][0-9a])"
_IN_A_FORM = frozenset(["PUT", "PATCH", "DELETE"])
"""What browsers can't send, so that the form of a POST names it."""


def kinds(settings: Settings) -> list[RequestKind]:
    """All kinds of requests that the gate looks for."""
    return [*settings.routes, *settings.settles]


def methods(settings: Settings) -> list[str]:
    """Of all kinds of requests: whichever location one comes by, it may be any of them."""
    found: set[str] = {method for kind in kinds(settings) for method in kind.methods}
    if settings.nginx.reroutes == "refuse" and found & _IN_A_FORM:
        found.add("POST")
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def maps(settings: Settings) -> Iterator[str]:
    """What stands within http { }."""
    if settings.nginx.reroutes == "pass":
        return
    # Exact entries go before expressions and cost next to nothing: what usual requests are.
    usual = "\n".join(f'    "{method}||" "";' for method in methods(settings))
    paths = dict.fromkeys(pattern for kind in kinds(settings) for pattern in loosely(kind.path))
    yield f"""
# Some sites serve what these headers name, and not what the client asks for: that could be a purchase, past all
# locations. (Where nginx is older than 1.23, of repeated ones only the first is seen.)
map "{"|".join(map(_variable, PATH_HEADERS))}" {REROUTED} {{
    "{"|" * (len(PATH_HEADERS) - 1)}" "";
    "~*(?s)(?:{_BEGINS}(?:{"|".join(paths)})|[%;\\x5c\\x80-\\xff])" 1;
    default "";
}}

# What can't be a purchase or a payment by its method, nor by the one that a header or a field names instead.
map "$request_method|{"".join(map(_variable, METHOD_HEADERS))}|$args" {ELSEWHERE} {{
{usual}
    "~^(?:{"|".join(methods(settings))})\\|" "";
    "~*^[^|]*\\|(?:[^|]|\\|.*(?:_method|{_ENCODED}))" "";
    default 1;
}}"""


def refusal(settings: Settings) -> Iterator[str]:
    """What stands within server { }, before its locations."""
    if settings.nginx.reroutes == "refuse":
        yield f"""\
# What names another path in a header, that may be a purchase's, is nobody's.
if ({REROUTED}) {{
    return 400;
}}
"""


def elsewhere(settings: Settings) -> str:
    """The condition, as ``if`` takes it."""
    if settings.nginx.reroutes == "refuse":
        return ELSEWHERE
    return f'$request_method !~ "^(?:{"|".join(methods(settings))})$"'


def _variable(header: str) -> str:
    return f"$http_{header.lower().replace('-', '_')}"
