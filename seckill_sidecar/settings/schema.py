"""The settings, one frozen record a section, with defaults. The YAML has the same names.

A field's ``description`` is what ``config schema`` and the shipped ``conf/seckill.yaml`` say of it.
Durations are seconds, sizes bytes, moments milliseconds since 1970 UTC. What one value can be by itself
stands here; what several can't be together stands in ``rules``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, SecretStr, Tag

from seckill_sidecar.model import Mode, Rate, Stance
from seckill_sidecar.settings.buyers import AskSettings, JwtSettings
from seckill_sidecar.settings.challenges import Challenges
from seckill_sidecar.settings.section import Choice, Name, Outline, Section
from seckill_sidecar.settings.values import Duration, Moment, RateLimit, Share, Size, StoreUrl, masked

STATEMENT_NAMES = frozenset(
    ["order_id", "item", "buyer", "quantity", "seq", "epoch", "state", "accepted_at_ms", "due_at_ms", "reason"]
)
"""What the SQL of ``writer.on_…`` may ask for, as ``:order_id`` and so on."""


ADMISSION_IN_PATH = "admission"
"""The name in a path template that stands for an admission."""


# -- where a value of a request comes from ---------------------------------------------------------


class Source(Choice):
    """Where one value of a request comes from: exactly one of these keys."""

    path: Name | None = Field(None, description="a {name} of the route's path template")
    query: Name | None = Field(None, description="a field of the query string")
    form: Name | None = Field(None, description="a field of an application/x-www-form-urlencoded or multipart body")
    json_: Name | None = Field(None, alias="json", description="a dotted path into a JSON body, for example cart.0.sku")
    header: Name | None = Field(None, description="a request header")
    cookie: Name | None = Field(None, description="a cookie")
    environ: Name | None = Field(
        None, description="a WSGI environ key, for the middleware only, for example REMOTE_USER"
    )

    def _given(self) -> list[tuple[str, str | None]]:
        return [
            ("path", self.path),
            ("query", self.query),
            ("form", self.form),
            ("json", self.json_),
            ("header", self.header),
            ("cookie", self.cookie),
            ("environ", self.environ),
        ]


class QuantitySource(Source):
    """Where the quantity comes from, and what it is if the request names none."""

    default: Annotated[int, Field(ge=1, le=9999)] | None = Field(
        None, description="quantity if the request has no such field; without it the field is required"
    )


class BuyerSource(Source):
    """Where the buyer comes from, and why that can be believed. With ``ask`` and ``jwt`` that follows by itself."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [name]} for name in ("trust", "ask", "jwt")]},
    )

    ask: AskSettings | None = Field(None, description="the storefront says who is signed in")
    jwt: JwtSettings | None = Field(None, description="a JSON Web Token (JWT) of somebody else says so")
    trust: Literal["proxy", "signed", "server", "client"] | None = Field(
        None,
        description="proxy: a header that nginx sets and overwrites, believed from trusted_proxies only; "
        "signed: a token of ours (`seckill-sidecar token`); server: set by the WSGI server (environ); "
        "client: whatever the client says, for tests only",
    )

    @property
    def elsewhere(self) -> AskSettings | JwtSettings | None:
        """Who knows the buyer, if the request does not name it by itself."""
        return self.ask or self.jwt

    def _given(self) -> list[tuple[str, str | None]]:
        ask, jwt = self.ask, self.jwt
        return [*super()._given(), ("ask", ask.path if ask else None), ("jwt", jwt.place.name if jwt else None)]


# -- stores ----------------------------------------------------------------------------------------


class Stores(Section):
    """Which Redis, RabbitMQ, database and storefront to use."""

    redis: StoreUrl = Field("embedded", description="redis://, rediss://, unix:// URL, or embedded (a bundled Valkey)")
    broker: StoreUrl = Field(
        "none", description="amqp:// or amqps:// URL, or none (the relay writes the outbox to the database)"
    )
    database: StoreUrl = Field(
        "sqlite:///seckill.db", description="mysql://user:password@host:port/name, or sqlite:///file"
    )
    replica: StoreUrl | None = Field(
        None, description="mysql:// URL of a replica of the database, which look-ups of orders ask first; or null"
    )
    storefront: StoreUrl | None = Field(
        None, description="http:// URL of the legacy site (or unix:/path), for the sidecar"
    )
    embedded_dir: str = Field(
        "var/embedded", min_length=1, description="where the bundled Valkey keeps its data and socket"
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Passwords stay out of logs and tracebacks."""
        return [(name, masked(value) if isinstance(value, str) else value) for name, value in super().__repr_args__()]


class LedgerSettings(Section):
    """How the ledger is kept."""

    prefix: str = Field("seckill", pattern=r"^[A-Za-z0-9_-]{1,32}$", description="first part of every key name")
    batch: int = Field(64, ge=1, le=1000, description="calls that travel in one pipeline, at most")
    outbox: int = Field(
        1_000_000, ge=1, description="events that may wait for the broker, per item; beyond it the item refuses"
    )
    idempotency: Duration = Field(86400.0, gt=0, description="how long an idempotency key stays bound to its purchase")


AmqpName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,127}$")]


class BrokerSettings(Section):
    """What the program declares in RabbitMQ, and how much may be under way."""

    exchange: AmqpName = Field("seckill", description="direct exchange that orders are published to")
    queue: AmqpName = Field("seckill.orders", description="queue that the writer consumes")
    parked: AmqpName = Field(
        "seckill.parked", description="queue for messages that can't be processed (and its exchange's name)"
    )
    quorum: bool = Field(False, description="use quorum queues (a cluster of three or more brokers)")
    max_length: int = Field(
        1_000_000, ge=1, description="messages that may wait in the orders queue; more are refused, none dropped"
    )
    in_flight: int = Field(512, ge=1, le=10_000, description="unconfirmed messages a process, at most")
    heartbeat: Duration = Field(20.0, gt=0, description="AMQP heartbeat")


class WriterSettings(Section):
    """How orders are written, and the legacy tables written along with them."""

    batch: int = Field(500, ge=1, le=10_000, description="orders in one transaction, at most")
    linger: Duration = Field(0.05, description="how long to wait for a batch to fill")
    retry: Duration = Field(1.0, gt=0, description="first wait after the database failed; doubles up to 5 s")
    on_accepted: tuple[str, ...] = Field(
        (), description="SQL run with each new order, in the same transaction, with :order_id and the like"
    )
    on_paid: tuple[str, ...] = Field((), description="SQL run when an order is paid")
    on_cancelled: tuple[str, ...] = Field((), description="SQL run when an order is cancelled")
    on_expired: tuple[str, ...] = Field((), description="SQL run when a hold expires unpaid")


class RelaySettings(Section):
    """How outbox leftovers are delivered and holds expired."""

    every: Duration = Field(0.5, gt=0, description="pause between two rounds when there is nothing to do")
    after: Duration = Field(2.0, description="age at which an event counts as left over by its gate")
    batch: int = Field(500, ge=1, le=10_000, description="events or holds taken at once")


class StorefrontSettings(Section):
    """How the sidecar reaches the legacy site."""

    connections: int = Field(64, ge=1, le=10_000, description="connections a process, at most")
    idle: Duration = Field(
        5.0, gt=0, description="how long an idle connection is kept; less than the site's own keep-alive"
    )


# -- time, failure ---------------------------------------------------------------------------------


class Timeouts(Section):
    """Bounds on every wait."""

    request: Duration = Field(3.0, gt=0, description="in which a purchase gets its verdict, all stores together")
    ledger: Duration = Field(0.5, gt=0, description="one call to Redis")
    broker: Duration = Field(1.0, gt=0, description="one confirm of RabbitMQ")
    database: Duration = Field(10.0, gt=0, description="one statement or commit")
    connect: Duration = Field(1.0, gt=0, description="opening a connection to any store")
    storefront: Duration = Field(30.0, gt=0, description="the legacy site's first byte, and each pause after it")


class BreakerSettings(Section):
    """When a store is left alone: failures ≥ ratio of the calls in the window, with at least `minimum` calls."""

    window: Duration = Field(10.0, gt=0, description="how far back calls count")
    minimum: int = Field(10, ge=1, description="calls in the window before it may open")
    ratio: float = Field(0.5, gt=0, le=1, description="share of failures that opens it")
    wait: Duration = Field(2.0, gt=0, description="how long it stays open before one trial call")


class Breakers(Outline):
    """One breaker a store."""

    ledger: BreakerSettings = BreakerSettings()
    broker: BreakerSettings = BreakerSettings()
    database: BreakerSettings = BreakerSettings()
    replica: BreakerSettings = BreakerSettings()
    storefront: BreakerSettings = BreakerSettings()
    identity: BreakerSettings = BreakerSettings()
    siteverify: BreakerSettings = BreakerSettings()


class Fallbacks(Section):
    """What happens when a store is down."""

    on_ledger_down: Literal["refuse", "storefront"] = Field(
        "refuse", description="refuse: 503 with Retry-After; storefront: let the legacy site sell by itself"
    )
    on_broker_down: Literal["keep", "refuse"] = Field(
        "keep",
        description="keep: the order stands in the outbox, the relay delivers it; refuse: give the units back, 503",
    )
    on_storefront_down: Literal["keep", "release"] = Field(
        "keep",
        description="keep: the order stands, the buyer gets our own answer; release: give the units back unless the site may have taken the order, 503",
    )
    on_sidecar_down: Literal["busy", "storefront"] = Field(
        "busy",
        description="what nginx does: busy: 503 with Retry-After; storefront: let the legacy site sell by itself, if surely nothing was begun",
    )


# -- who, how much ---------------------------------------------------------------------------------


class Key(Section):
    """One secret that signs tokens and requests to the storefront."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,16}$", description="name of the key, sent along with what it signs")
    secret: SecretStr = Field(min_length=16, description="${ENVIRONMENT_VARIABLE} or file:/path, 16 characters or more")


ANY_ORIGIN = "*"
"""Among origins: the pages of all sites."""


class Identity(Section):
    """Who is buying, and what is believed about a request's origin."""

    buyer: BuyerSource | None = Field(None, description="where the buyer comes from, unless a route says otherwise")
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128", "unix"),
        description="peers whose headers are believed: networks, or unix for any UNIX socket",
    )
    address_header: str = Field(
        "X-Real-IP", description="header in which a trusted proxy passes the client's address on"
    )
    origins: tuple[str, ...] = Field(
        (),
        description="other sites whose pages may send purchases, for example https://www.shop.example; '*' for all, which lets any page buy in a visitor's name",
    )


class Limits(Section):
    """Bounds on requests."""

    buyer: RateLimit = Field(None, description="purchases of one buyer on one item, for example 2/s burst 5, or off")
    address: RateLimit = Field(None, description="purchases from one client address on one item, or off")
    orders_per_address: int | None = Field(
        None, ge=1, description="orders on one item that one client address may hold or have paid; null for no bound"
    )
    in_flight: int = Field(
        256, ge=1, le=10_000, description="purchases at the same moment, a process; more get 503 at once"
    )
    wait: Duration = Field(
        2.0, gt=0, description="who would have to wait longer for an answer gets 503 at once, before the body is read"
    )
    body: Size = Field(65536, ge=1, description="body of a purchase request, at most")
    remember_sold_out: float = Field(
        1.0,
        ge=0,
        le=1,
        description="seconds for which a process remembers that an item was sold out; 0: nothing, nor that there is no such item",
    )

    @property
    def connections(self) -> int:
        """Connections of clients that a worker keeps: twice the purchases that may be in flight, so that there is
        always room to say "too busy" at once."""
        return max(1000, 2 * self.in_flight)


class AdmissionSettings(Section):
    """When admissions are given, for how long, and how often one may ask for them."""

    before: Duration = Field(600.0, description="from so long before an item opens on, until it closes or is sold out")
    lifetime: Duration = Field(
        300.0, ge=5, le=86400, description="how long one is good, from the opening on if that is still to come"
    )
    buyer: RateLimit = Field(Rate(6, 60.0, 6), description="one buyer's wishes for one item, for example 6/m, or off")
    address: RateLimit = Field(Rate(10, 1.0, 100), description="the same from one client address")


# -- routes, replies, items ------------------------------------------------------------------------


def _shape(value: Any) -> str:
    return "<mapping>" if isinstance(value, dict | Source) else "<value>"


ItemSource = Annotated[Annotated[Source, Tag("<mapping>")] | Annotated[str, Tag("<value>")], Discriminator(_shape)]
Quantity = Annotated[
    Annotated[QuantitySource, Tag("<mapping>")] | Annotated[int, Field(ge=1, le=9999), Tag("<value>")],
    Discriminator(_shape),
]


class RequestKind(Section):
    """One kind of request of the legacy site, and how it is recognised."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$", description="name in logs and metrics")
    methods: tuple[Literal["POST", "PUT", "PATCH", "GET", "DELETE"], ...] = Field(
        ("POST",), min_length=1, description="HTTP methods"
    )
    path: str = Field(description="path template, for example /buy/{sku}")
    host: str | None = Field(None, description="only for this Host")
    query: dict[str, str] = Field({}, description="only with these query fields, for example {route: checkout/confirm}")
    form: dict[str, str] = Field({}, description="only with these form fields")


class RouteAdmission(Section):
    """Whether a route's purchases need an admission, got before, in the place of an identity."""

    required: bool = Field(False, description="only with an admission, which names the buyer")
    hidden: bool = Field(
        False,
        description="the admission is the {admission} of the path template: without one, nobody knows where to buy; all else there is 404",
    )
    token: Source = Field(
        Source(header="Seckill-Admission"), description="where the admission comes from, unless it is in the path"
    )

    @cached_property
    def asked(self) -> bool:
        """Whether a purchase needs one."""
        return self.required or self.hidden

    @cached_property
    def source(self) -> Source:
        """Where it comes from."""
        return Source(path=ADMISSION_IN_PATH) if self.hidden else self.token


class Route(RequestKind):
    """One kind of purchase request of the legacy site."""

    item: ItemSource = Field(description="where the SKU comes from, or a SKU that all requests of this route mean")
    quantity: Quantity = Field(1, description="where the quantity comes from, or a number")
    buyer: BuyerSource | None = Field(None, description="where the buyer comes from; the identity section's by default")
    idempotency: Source | None = Field(
        Source(header="Idempotency-Key"), description="where the idempotency key comes from"
    )
    on_accept: Literal["storefront", "json", "page", "redirect"] = Field(
        "storefront",
        description="storefront: the request goes on to the legacy site, signed; json, page: our own answer; redirect: 303",
    )
    redirect_to: str | None = Field(
        None, description="for redirect: a path on this site, for example /thanks?order={order}&token={token}"
    )
    hold: Duration | None = Field(None, gt=0, description="how long an unpaid hold lives; the item's by default")
    origins: tuple[str, ...] | None = Field(
        None, description="other sites whose pages may send these purchases; the identity section's by default"
    )
    admission: RouteAdmission = Field(RouteAdmission(), description="whether purchases need an admission")
    mode: Literal["enforce", "shadow", "off"] = Field(
        "enforce",
        description="enforce: the gate decides; shadow: it logs what it would have decided, and the legacy site serves everybody; off: as if the route were not there",
    )
    challenge: Literal["altcha", "image", "turnstile", "hcaptcha"] | None = Field(
        None,
        description="what a buyer has to solve first, to be admitted if the route asks for admission: altcha: computing, which costs a person nothing; image: a picture to read; turnstile, hcaptcha: somebody else's; null for nothing",
    )
    percent: int = Field(
        100, ge=0, le=100, description="share of the buyers for whom the mode holds; the others as with off"
    )

    @cached_property
    def challenged_at(self) -> Literal["admission", "purchase"] | None:
        """When its challenge has to be solved: before the rush, where there is an admission."""
        if self.challenge is None:
            return None
        return "admission" if self.admission.asked else "purchase"

    @property
    def stance(self) -> Stance:
        """Mode and percent together."""
        return Stance(Mode(self.mode), self.percent)


class SettleRoute(RequestKind):
    """One kind of request by which the legacy site itself settles an order: it passes through, and is watched."""

    order: Source = Field(description="where the request names the order, by our id (X-Seckill-Order)")
    to: Literal["paid", "cancelled"] = Field(description="what the order becomes when the site has said yes")
    on: tuple[Literal["2xx", "3xx"], ...] = Field(
        ("2xx",), min_length=1, description="answers of the site that mean yes; 3xx is 302 and 303 only"
    )


class ItemSettings(Section):
    """One item put on sale by the YAML (it can as well be loaded by command)."""

    sku: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="the item's SKU")
    total: int = Field(ge=0, le=100_000_000, description="units on sale")
    opens_at: Moment = Field(0, description="from when it sells; without it at once", validate_default=False)
    closes_at: Moment = Field(0, description="from when it no longer sells; without it never", validate_default=False)
    per_buyer: int = Field(1, ge=1, le=9999, description="units one buyer may have")
    hold: Duration = Field(900.0, gt=0, description="how long an unpaid hold lives")
    eligible: str | None = Field(
        None,
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
        description="list of the buyers whom it is for, as `seckill-sidecar eligible load` writes it; null: for everybody",
    )


class Serve(Section):
    """The sidecar process."""

    listen: str = Field("127.0.0.1:8600", description="address:port or unix:/path that nginx passes purchases to")
    workers: int = Field(2, ge=1, le=256, description="gunicorn workers; one a core")
    prefix: str = Field(
        "/seckill/", pattern=r"^/([A-Za-z0-9._-]+/)+$", description="where the sidecar's own addresses live"
    )
    hand_over: Literal["proxy", "x-accel"] = Field(
        "proxy",
        description="how requests reach the legacy site: proxy: through the sidecar; x-accel: nginx takes them back and asks the site itself",
    )


class Shield(Section):
    """Markers by which nginx itself answers "sold out", kept by each host's sidecar."""

    enabled: bool = Field(False, description="keep markers, and let the nginx configuration ask for them")
    folder: str = Field(
        "/run/seckill/shield",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
        description="where they are: a folder of this site's own in memory (/run), which nginx can search",
    )


class Nginx(Section):
    """What `seckill-sidecar nginx` writes besides what follows from the other settings."""

    buyer: str = Field(
        "",
        pattern=r"^(\$[a-z0-9_]+)?$",
        description="nginx variable that holds the buyer for trust: proxy, for example $remote_user",
    )
    address: RateLimit = Field(
        None, description="purchase requests from one client address, for example 20/s burst 40, or off"
    )
    connections: int | None = Field(
        None, ge=1, description="connections from one client address at the same moment; null for no bound"
    )
    at_once: int | None = Field(
        None,
        ge=1,
        description="requests that the sidecar is given at the same moment, some 20 a worker; more are told to come back, and cost it nothing; null for no bound",
    )
    pace: RateLimit = Field(
        None,
        description="purchase requests passed on to the sidecar; as many as the burst wait in nginx, and ask the shield again, for example 1000/s burst 20000, or off",
    )
    first: int | None = Field(
        None,
        ge=1,
        description="with pace: so many requests of a rush are passed on at once, before the others wait for their turn; some 20 a worker",
    )
    reroutes: Literal["refuse", "pass"] = Field(
        "refuse",
        description="headers by which a client names another path or method (X-Original-URL, X-HTTP-Method-Override): refuse: 400 if that may be a purchase; pass: the site surely obeys none of them",
    )
    patience: Duration | None = Field(
        10.0,
        ge=1,
        description="how long a client may take to send its head, and pause in its body or the answer; null if your server { } says so itself",
    )
    body: Literal["njs"] | None = Field(
        None,
        description="njs: the shield finds items in forms and JSON, too; nginx needs its JavaScript module (Debian: libnginx-mod-http-js)",
    )


class Results(Section):
    """How buyers hear of the results of their purchases."""

    waiters: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="buyers who wait for a result at the same moment, a process; more are told to ask again later. null: 10000 in the sidecar, none in a Python site's own server, where each may take one of its threads",
    )
    longest: Duration = Field(300.0, gt=0, description="how long one may wait for it, as events or by WebSocket")
    wait: Duration = Field(30.0, gt=0, description="what ?wait= may ask for, at most")
    heartbeat: Duration = Field(
        15.0, gt=0, description="after so long without news something is said, which finds out who is gone"
    )
    receipt: Duration = Field(
        2_592_000.0, gt=0, description="how long a receipt is worth something; its key has to stay among keys"
    )
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?$")], ...] = Field(
        (), description="other origins whose pages may open the WebSocket, for example https://m.shop.example"
    )

    @property
    def places(self) -> int:
        """Waiters a sidecar's process has room for."""
        return 10_000 if self.waiters is None else self.waiters


class PageSettings(Section):
    """The pages that buyers see in their browsers."""

    folder: str | None = Field(
        None,
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
        description="folder with a page.html and en.yaml, zh.yaml of the site's own, any of them; without it the program's",
    )
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")], ...] = Field(
        ("en", "zh"),
        min_length=1,
        max_length=20,
        description="languages, of which a browser gets the one that it asks for, else the first",
    )


class Operator(Section):
    """The operator's API: orders settled and shown by other programs, at an address of its own."""

    listen: str = Field("127.0.0.1:8601", description="address:port or unix:/path, opened only if there is a token")
    expose: bool = Field(
        False, description="let it be an address that others can reach: behind TLS and a firewall of yours"
    )
    token: SecretStr | None = Field(
        None, min_length=16, description="what callers send as Authorization: Bearer; without it the API is off"
    )


class MetricsSettings(Section):
    """What is counted for Prometheus; GET /metrics at the operator's address tells it."""

    folder: str | None = Field(
        None,
        min_length=1,
        description="folder in which all processes of a host keep their figures; without it nothing is counted",
    )


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is written")
    format: Literal["auto", "text", "json"] = Field(
        "auto", description="auto: text on a terminal, JSON lines elsewhere"
    )
    refusals: Share = Field(
        0.0,
        description="share of the refused purchases that is written at info, for example 1%, or none; at debug all are",
    )
    abuse: RateLimit = Field(
        None,
        description="lines a process writes of addresses that are rate limited, unidentified, not admitted or invalid, at most, for fail2ban, for example 20/s, or off",
    )


class TracingSettings(Section):
    """Spans for OpenTelemetry: what became of a purchase, from nginx to the COMMIT."""

    otlp: str | None = Field(
        None,
        description="collector that takes OTLP over HTTP, for example http://127.0.0.1:4318; without it nothing is told",
    )
    sample: Share = Field(
        0.01, description="share of the purchases that are told of, unless their traceparent has decided it"
    )
    service: str = Field("seckill-sidecar", min_length=1, max_length=255, description="name of this service")


class Settings(Outline):
    """The whole configuration of one site."""

    stores: Stores = Stores()
    serve: Serve = Serve()
    results: Results = Results()
    operator: Operator = Operator()
    shield: Shield = Shield()
    nginx: Nginx = Nginx()
    pages: PageSettings = PageSettings()
    keys: tuple[Key, ...] = Field((), description="secrets; the first signs, all verify")
    identity: Identity = Identity()
    routes: tuple[Route, ...] = Field((), description="purchase requests; the first that matches decides")
    settles: tuple[SettleRoute, ...] = Field(
        (), description="requests of the site that settle an order; no purchase, and the first that matches decides"
    )
    items: tuple[ItemSettings, ...] = Field(
        (), description="items that `seckill-sidecar item load` puts on sale; never by itself"
    )
    challenges: Challenges = Challenges()
    limits: Limits = Limits()
    admission: AdmissionSettings = AdmissionSettings()
    fallbacks: Fallbacks = Fallbacks()
    timeouts: Timeouts = Timeouts()
    breakers: Breakers = Breakers()
    ledger: LedgerSettings = LedgerSettings()
    broker: BrokerSettings = BrokerSettings()
    writer: WriterSettings = WriterSettings()
    relay: RelaySettings = RelaySettings()
    storefront: StorefrontSettings = StorefrontSettings()
    log: Log = Log()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
