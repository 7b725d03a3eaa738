"""The stores' URLs, and which stores fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules.rule import caution, rule
from seckill_sidecar.settings.schema import Settings

_Fault = str | None


@rule()
def urls_are_of_a_known_kind(settings: Settings) -> Iterator[Finding]:
    for name, fault_of in _STORES.items():
        url = getattr(settings.stores, name)
        fault = fault_of(url) if url is not None else None
        if fault:
            yield Finding(("stores", name), fault)


def _redis_fault(url: str) -> _Fault:
    if url == "embedded":
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in ("redis", "rediss", "unix"):
        return "is no URL of Redis; write redis://host:6379/0, rediss://…, unix:///path, or embedded"
    if parts.scheme == "unix":
        return (
            None
            if url.startswith("unix://") and parts.path.strip("/")
            else "lacks a path; write unix:///run/redis.sock"
        )
    if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        return "has a database that is no number; write for example redis://host:6379/0"
    return _host_fault(parts)


def _broker_fault(url: str) -> _Fault:
    if url == "none":
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in ("amqp", "amqps"):
        return "is no URL of RabbitMQ; write amqp://user:password@host:5672/vhost, amqps://…, or none"
    if "/" in parts.path[1:]:
        return "has a vhost with a / in it; write it as %2F, for example amqp://host:5672/%2F"
    return _host_fault(parts)


def _database_fault(url: str) -> _Fault:
    parts = _split(url)
    if parts is None or parts.scheme not in ("mysql", "mariadb", "sqlite"):
        return "is no URL of a database; write mysql://user:password@host:3306/name, or sqlite:///file.db"
    name = parts.path.removeprefix("/")
    if parts.scheme == "sqlite":
        lasting = not parts.netloc and not parts.query and name and not name.startswith(":memory:")
        return None if lasting else "names no file that processes can share; write sqlite:///file.db (three slashes)"
    if not unquote(name) or "/" in name:
        return "names no database; write mysql://user:password@host:3306/name"
    return None if "unix_socket=" in parts.query else _host_fault(parts)


def _replica_fault(url: str) -> _Fault:
    parts = _split(url)
    if parts is None or parts.scheme not in ("mysql", "mariadb"):
        return "is no URL of a replica; write mysql://user:password@host:3306/name, or remove it"
    return _database_fault(url)


def _storefront_fault(url: str) -> _Fault:
    if url.startswith("unix:"):
        return None if url.removeprefix("unix:").startswith("/") else "has no absolute path; write unix:/run/shop.sock"
    parts = _split(url)
    if parts is None or parts.scheme != "http":
        return "is no address of the legacy site; write http://host:port (nginx keeps the TLS), or unix:/path"
    if parts.query or "@" in parts.netloc:
        return "is more than an address; write http://host:port or http://host:port/base"
    return _host_fault(parts)


_STORES: dict[str, Callable[[str], _Fault]] = {
    "redis": _redis_fault,
    "broker": _broker_fault,
    "database": _database_fault,
    "replica": _replica_fault,
    "storefront": _storefront_fault,
}


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url) if url.isprintable() and not set(" #") & set(url) else None
    except ValueError:
        return None


def _host_fault(parts: SplitResult) -> _Fault:
    try:
        sane = parts.hostname and parts.port != 0
    except ValueError:
        sane = False
    return None if sane else "has no sane host and port (1 to 65535); percent-encode / @ : # in a password"


@rule("stores")
def without_a_broker_it_cannot_be_down(settings: Settings) -> Iterator[Finding]:
    if settings.stores.broker == "none" and settings.fallbacks.on_broker_down == "refuse":
        what = "means nothing while stores.broker is none; remove it, or name a broker"
        yield Finding(("fallbacks", "on_broker_down"), what)


@rule("stores")
def a_replica_follows_something(settings: Settings) -> Iterator[Finding]:
    stores = settings.stores
    if stores.replica is not None and stores.database.startswith("sqlite:"):
        yield Finding(
            ("stores", "replica"), "can't be one of a SQLite file; remove it, or name a MySQL in stores.database"
        )


@caution("stores")
def a_replica_that_is_the_database_itself(settings: Settings) -> Iterator[Finding]:
    if settings.stores.replica is not None and settings.stores.replica == settings.stores.database:
        yield Finding(("stores", "replica"), "is the database itself, which would be asked twice; remove it")


@rule("broker")
def parked_messages_lie_apart(settings: Settings) -> Iterator[Finding]:
    broker = settings.broker
    if broker.parked in (broker.queue, broker.exchange):
        what = f"is the name of the {'queue' if broker.parked == broker.queue else 'exchange'} too; give it its own"
        yield Finding(("broker", "parked"), what)


@rule()
def names_are_not_the_brokers_own(settings: Settings) -> Iterator[Finding]:
    for key in ("exchange", "queue", "parked"):
        if getattr(settings.broker, key).startswith("amq."):
            yield Finding(("broker", key), "begins with amq., which RabbitMQ keeps for itself; choose another name")


@caution("stores")
def toy_stores_beside_real_ones(settings: Settings) -> Iterator[Finding]:
    stores = settings.stores
    if stores.broker != "none" and stores.database.startswith("sqlite:"):
        what = "SQLite behind a real broker: only a writer on this machine can use it; production wants mysql://"
        yield Finding(("stores", "database"), what)
    if stores.redis == "embedded" and not stores.database.startswith("sqlite:"):
        what = "the embedded Redis beside a real database: only this machine can use it; production wants redis://"
        yield Finding(("stores", "redis"), what)
