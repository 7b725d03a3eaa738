"""Who wants how much of what: a purchase from a request, or the refusal that says what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.model import SKU, Admission, Purchase, Verdict
from seckill_sidecar.settings.schema import BuyerSource, Identity, QuantitySource, Route, Source
from seckill_sidecar.wire.admissions import read_admission
from seckill_sidecar.wire.answers import Refusal
from seckill_sidecar.wire.fields import Malformed
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import BUYER, InvalidToken, Keyring
from seckill_sidecar.wire.values import Values

_QUANTITY = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_KEY = re.compile(r"[!#-\[\]-~]{1,255}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST_BUYER = 255

Knows = Callable[[Request, Deadline], str]
"""Knows the buyer of a request that does not name it by itself; raises ``Refusal`` (400, 401, 503)."""


class Identifier:
    """Reads purchases as one site's configuration says."""

    def __init__(
        self,
        identity: Identity,
        keyring: Keyring,
        body_limit: int,
        clock: Clock,
        new_order_id: Callable[[str], str],
        acquaintances: Mapping[int, Knows] | None = None,
    ) -> None:
        """``acquaintances`` know the buyers of those sources that have an ``elsewhere``, by the source's ``id``."""
        self._identity = identity
        self._keyring = keyring
        self._body_limit = body_limit
        self._clock = clock
        self._new_order_id = new_order_id
        self._address = AddressReader(identity)
        self._acquaintances = acquaintances or {}

    def take_in(self, request: Request) -> None:
        """Read the body, whatever is in it: once a purchase is accepted, no fault of it must turn up any more.

        Raises ``Malformed`` (400, 413).
        """
        request.read_body(self._body_limit)

    def purchase(
        self,
        request: Request,
        route: Route,
        path_values: Mapping[str, str],
        deadline: Deadline,
        traceparent: str = "",
    ) -> Purchase:
        """The purchase that this request asks for; raises ``Refusal`` or ``Malformed`` (400, 401, 413, 415, 503)."""
        reader = Values(request, path_values, self._body_limit)
        # First of all: without one, there is nothing to be said about the rest.
        admission = self.admission(reader, route) if route.admission.asked else None
        item = self._item(reader, route)
        if admission is not None and admission.item != item:
            raise _not_admitted(route, "the admission is for another item")
        quantity = _quantity(reader, route.quantity)
        key = _key(reader, route.idempotency)
        buyer = self._buyer_of(request, route, deadline, reader) if admission is None else admission.buyer
        return Purchase(
            order_id=self._new_order_id(item),
            item=item,
            buyer=buyer,
            quantity=quantity,
            key=key,
            address=self.address(request),
            traceparent=traceparent,
            hold_ms=None if route.hold is None else int(route.hold * 1000),
            admission=admission,
        )

    def buyer_of(self, request: Request, route: Route, path_values: Mapping[str, str], deadline: Deadline) -> str:
        """The verified buyer of a route's request, whatever it asks for; raises ``Refusal`` or ``Malformed``."""
        reader = Values(request, path_values, self._body_limit)
        if route.admission.asked:
            return self.admission(reader, route).buyer
        return self._buyer_of(request, route, deadline, reader)

    def _buyer_of(self, request: Request, route: Route, deadline: Deadline, reader: Values) -> str:
        return self.buyer(request, route.buyer or self._identity.buyer, deadline, reader)

    def admission(self, reader: Values, route: Route) -> Admission:
        """The admission that a request brings; raises ``Refusal`` (403, 404) if that is none of ours, or over."""
        token = reader.text(route.admission.source)
        if not token:
            raise _not_admitted(route, "no admission")
        try:
            return read_admission(self._keyring, token, self._clock.wall())
        except (InvalidToken, UnicodeDecodeError) as error:
            raise _not_admitted(route, str(error)) from error

    def who_wishes(self, request: Request, route: Route, deadline: Deadline) -> str:
        """The verified buyer who asks for admission to what a route sells; raises ``Refusal`` or ``Malformed``."""
        return self._buyer_of(request, route, deadline, Values(request, {}, self._body_limit))

    def address(self, request: Request) -> str:
        """The client's address as rates count it; raises ``Refusal`` (400) if two are named."""
        return self._address.client(request)

    def buyer(
        self, request: Request, source: BuyerSource | None, deadline: Deadline, reader: Values | None = None
    ) -> str:
        """The verified buyer; raises ``Refusal``: 401 if there is none that can be believed, 503 if nobody can tell."""
        if source is None:
            raise Refusal(Verdict.UNIDENTIFIED, "this site has no way to know its buyers", reason="no identity.buyer")
        if source.trust is None:
            value = self._acquaintances[id(source)](request, deadline)
        else:
            value = self._said(request, source, reader or Values(request, {}, self._body_limit))
        if not is_buyer(value):
            raise Refusal(Verdict.UNIDENTIFIED, "sign in again", reason="the buyer's name is too long or unclean")
        return value

    def _said(self, request: Request, source: BuyerSource, reader: Values) -> str:
        """The buyer that the request itself names."""
        if source.trust == "proxy" and not self._address.is_trusted_peer(request):
            raise Refusal(Verdict.UNIDENTIFIED, "sign in first", reason="identity header from an untrusted peer")
        value = reader.text(source)
        if not value:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in first", reason=f"no {source.kind} {source.name}")
        if source.trust == "signed":
            value = self._verified(value)
        return value

    def _verified(self, token: str) -> str:
        try:
            return self._keyring.verify(BUYER, token, self._clock.wall())
        except (InvalidToken, UnicodeDecodeError) as error:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in again", reason=str(error)) from error

    def _item(self, reader: Values, route: Route) -> str:
        if isinstance(route.item, str):
            return route.item
        sku = reader.text(route.item)
        if sku is None:
            raise Refusal(Verdict.INVALID, f"the item is missing: {route.item.kind} field {route.item.name}")
        if SKU.fullmatch(sku) is None:
            raise Refusal(Verdict.INVALID, "the item's SKU is malformed")
        return sku


def is_buyer(name: str) -> bool:
    """Whether this can be a buyer's name: 1 to 255 characters, none of them a control character."""
    return 0 < len(name) <= _LONGEST_BUYER and _CONTROL.search(name) is None


def _not_admitted(route: Route, reason: str) -> Refusal:
    """The same words for whatever is wrong with it: who tries learns nothing."""
    if route.admission.hidden:
        return Refusal(Verdict.NOT_ADMITTED, "there is nothing at this address", status=404, reason=reason)
    return Refusal(Verdict.NOT_ADMITTED, "ask for admission, and buy with it before it ends", reason=reason)


class AddressReader:
    """Where a request came from, as far as that can be believed."""

    def __init__(self, identity: Identity) -> None:
        networks = [network for network in identity.trusted_proxies if network != "unix"]
        self._header = identity.address_header
        self._is_trusted = _trust(tuple(networks), unix="unix" in identity.trusted_proxies)

    def is_trusted_peer(self, request: Request) -> bool:
        """Whether the peer is one of the site's own proxies."""
        return self._is_trusted(request.environ.get("REMOTE_ADDR", ""))

    def client(self, request: Request) -> str:
        """The client's address as rates count it: IPv4 whole, IPv6 as its /64; empty if nobody knows."""
        claimed: str | None = None
        if self.is_trusted_peer(request):
            try:
                claimed = request.header(self._header)
            except Malformed as error:
                raise Refusal(Verdict.INVALID, error.detail) from error
        return counted_address(claimed or request.environ.get("REMOTE_ADDR", ""))


def _trust(networks: tuple[str, ...], unix: bool) -> Callable[[str], bool]:
    parsed = [ipaddress.ip_network(network, strict=False) for network in networks]

    @lru_cache(maxsize=1024)
    def is_trusted(peer: str) -> bool:
        if not peer or peer.startswith("/"):
            return unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in parsed)

    return is_trusted


@lru_cache(maxsize=4096)
def counted_address(claimed: str) -> str:
    """An address as one client is counted; a text that is none counts as the empty address."""
    try:
        address = ipaddress.ip_address(claimed.strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        # One household or server has a /64 to itself: its 2^64 addresses are one client.
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _quantity(reader: Values, source: QuantitySource | int) -> int:
    if isinstance(source, int):
        return source
    value = reader.value(source)
    if value is None:
        if source.default is None:
            raise Refusal(Verdict.INVALID, f"the quantity is missing: {source.kind} field {source.name}")
        return source.default
    # bool is an int to Python, and int() takes '٣' and '1_000': neither is a quantity.
    if type(value) is int and 1 <= value <= 9999:
        return value
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value)
    raise Refusal(Verdict.INVALID, "the quantity has to be a whole number from 1 to 9999")


def _key(reader: Values, source: Source | None) -> str | None:
    value = reader.text(source) if source is not None else None
    if value is None:
        return None
    if source is not None and source.kind == "header" and len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]  # a structured field's string, as the Idempotency-Key draft has it
    if _KEY.fullmatch(value) is None:
        raise Refusal(
            Verdict.INVALID, "the idempotency key has to be 1 to 255 printable ASCII characters, without quotes"
        )
    return value
