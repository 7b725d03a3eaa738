"""The storefront, asked who is signed in: a GET of our own, with nothing of the client but what it is given."""

from __future__ import annotations

from contextlib import suppress

import h11

from seckill_sidecar.adapters.storefront.address import Address
from seckill_sidecar.adapters.storefront.pool import Pool
from seckill_sidecar.adapters.storefront.wire import Wire
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, StoreDown, TooBusy
from seckill_sidecar.ports import Fields, Told
from seckill_sidecar.settings.buyers import AskSettings
from seckill_sidecar.settings.schema import Timeouts

_OWN = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "seckill-sidecar"))

_AN_INSTANT = 0.001
"""Seconds: to a socket, 0 would mean not to wait at all."""


class StorefrontWhoami:
    """``ports.Whoami`` by HTTP, on connections of its own: buyers who are asked about keep no purchase waiting."""

    def __init__(self, url: str, settings: AskSettings, timeouts: Timeouts, idle: float, clock: Clock) -> None:
        """``idle`` is how long a connection may rest unused."""
        self._address = Address.parse(url)
        self._settings = settings
        self._target = self._address.base + settings.path
        self._host = settings.host or self._address.host
        self._clock = clock
        self._connect = timeouts.connect
        self._pool = Pool(self._dial_in_time, settings.connections, idle, settings.timeout, clock)

    def ask(self, fields: Fields, deadline: Deadline) -> Told:
        due = Deadline.after(self._settings.timeout, self._clock)
        if due.at <= deadline.at:
            return self._try_twice(self._request(fields), due)
        try:
            return self._try_twice(self._request(fields), deadline)
        except (OutcomeUnknown, StoreDown) as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            # Whoever asks was in a hurry (a rehearsal, say): that says nothing about the storefront.
            raise DeadlinePassed("storefront", "no time was left to hear who is buying") from error

    def _try_twice(self, request: h11.Request, due: Deadline) -> Told:
        try:
            return self._exchange(request, due)
        except OutcomeUnknown as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            # The storefront has closed an idle connection at this very moment. A GET may be sent twice.
            return self._exchange(request, due)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _exchange(self, request: h11.Request, due: Deadline) -> Told:
        if due.passed():
            raise DeadlinePassed("storefront", "no time was left to ask who is buying")
        wire = self._take(due)
        try:
            wire.due(due)
            wire.send(request, (), lambda _: None)
            head = wire.head()
            body = self._some_of(wire)
        finally:
            self._pool.give_back(wire)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        return Told(head.status_code, fields, body)

    def _take(self, due: Deadline) -> Wire:
        try:
            return self._pool.take(due.remaining(), lambda: self._dial(due))
        except TooBusy as error:
            what = f"all {self._settings.connections} connections that ask who is buying are in use (ask: connections:)"
            raise TooBusy("storefront", what) from error

    def _dial_in_time(self) -> Wire:
        return self._dial(Deadline.after(self._settings.timeout, self._clock))

    def _dial(self, due: Deadline) -> Wire:
        try:
            connection = self._address.connect(max(due.within(self._connect), _AN_INSTANT))
        except OSError as error:
            raise StoreDown("storefront", f"can't connect to {self._address.place}: {error}") from error
        return Wire(connection, self._settings.timeout)

    def _some_of(self, wire: Wire) -> bytes:
        """The body, or its beginning: a connection with a longer one isn't used again."""
        most, body = self._settings.body, bytearray()
        for piece in wire.pieces():
            body += piece
            if len(body) > most:
                break
        return bytes(body[:most])

    def _request(self, fields: Fields) -> h11.Request:
        named = {name.lower() for name, _ in fields}
        own = [(name, value) for name, value in _OWN if name.lower() not in named]
        with suppress(UnicodeEncodeError, h11.LocalProtocolError):
            return h11.Request(
                method="GET",
                target=self._target,
                headers=[("Host", self._host), *own, *fields],
            )
        raise StoreDown("storefront", "what would be asked of it is no HTTP")
