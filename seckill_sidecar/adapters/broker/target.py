"""Where to connect and how: an AMQP URL as pika's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from pika import URLParameters

from seckill_sidecar.adapters.broker.faults import STORE
from seckill_sidecar.errors import StoreError
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts

_BLOCKED_HEARTBEATS = 3
"""A blocked connection is given up after this many heartbeats, in case the broker's all-clear got lost."""

_ADDRESSES = 3
"""A host name may have several addresses: opening may take this many connect timeouts, each address one."""


@dataclass(frozen=True, slots=True)
class Target:
    """One broker, and the bounds on talking to it."""

    parameters: URLParameters
    address: str
    """What logs and errors call it: scheme, host, port and virtual host, no credentials."""
    opening: float
    """Seconds within which connection, channel and topology are there, or the attempt has failed."""
    parting: float
    """Seconds that a polite end may take."""


def target(url: str, settings: BrokerSettings, timeouts: Timeouts, name: str) -> Target:
    """Read the URL; ``name`` is what RabbitMQ's own tools show. Raises ``StoreError`` if it is no AMQP URL."""
    try:
        parameters = URLParameters(url)
        _bound(parameters, settings, timeouts)
    except Exception as error:
        # Not its text: that may quote the URL, and with it the password.
        raise StoreError(STORE, "its URL can't be read; write amqp://user:password@host:5672/vhost") from error
    parameters.client_properties = {"connection_name": name}
    scheme = "amqp" if parameters.ssl_options is None else "amqps"
    address = f"{scheme}://{parameters.host}:{parameters.port}/{parameters.virtual_host.removeprefix('/')}"
    return Target(parameters, address, opening=_ADDRESSES * timeouts.connect, parting=timeouts.connect)


def _bound(parameters: URLParameters, settings: BrokerSettings, timeouts: Timeouts) -> None:
    """Set pika's timeouts, over whatever the URL's query says."""
    parameters.socket_timeout = timeouts.connect
    parameters.stack_timeout = timeouts.connect
    parameters.heartbeat = max(1, round(settings.heartbeat))  # AMQP counts whole seconds, and 0 would turn it off
    parameters.blocked_connection_timeout = _BLOCKED_HEARTBEATS * parameters.heartbeat
    parameters.connection_attempts = 1  # the keeper tries again, with a backoff
