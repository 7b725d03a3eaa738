"""Where the parts come together: adapters below, gate and plugs above, as the settings say.

``SeckillMiddleware(app, conf)`` and ``sidecar()`` are the two plugs; ``Site`` builds what they, the workers and
the commands share.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from prometheus_client.registry import Collector

from seckill_sidecar import faults
from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer, examine_broker, queue_state, quiet_pika
from seckill_sidecar.adapters.ledger import (
    RedisLedger,
    ShadowLedger,
    connect_ledger,
    connect_shadow,
    connect_standings,
    connect_switches,
    examine_ledger,
)
from seckill_sidecar.adapters.markers import UNMARKED, Markers
from seckill_sidecar.adapters.orders_db import connect_orders_db, connect_replica
from seckill_sidecar.adapters.storefront import ReverseProxy, probe
from seckill_sidecar.clock import Clock, Deadline, SystemClock, order_ids
from seckill_sidecar.errors import LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.gate.hand_off import HandOff, HandOffObserver
from seckill_sidecar.gate.identify import AddressReader, Identifier
from seckill_sidecar.gate.local import Local
from seckill_sidecar.gate.look_up import LookUp
from seckill_sidecar.gate.mode import Matched, ModeStage, Share, Stances
from seckill_sidecar.gate.pipeline import Observer, Pipeline, Policies
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.gate.reserve import Reserver
from seckill_sidecar.gate.room import Room
from seckill_sidecar.gate.route import Routes
from seckill_sidecar.gate.sample import Sampler
from seckill_sidecar.gate.settle import Promptly, Settler, Watcher
from seckill_sidecar.gate.standing import Lookout
from seckill_sidecar.gate.witness import Witness
from seckill_sidecar.gate.written import WrittenOrders
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers import log
from seckill_sidecar.observers.abuse import ABUSE, AbuseLog
from seckill_sidecar.observers.metrics import Audits, Marked, Metrics, Moments
from seckill_sidecar.observers.tracing import Tracing, begin_tracing, quiet_opentelemetry
from seckill_sidecar.ops import doctor, status
from seckill_sidecar.ops.audit import Report
from seckill_sidecar.ops.doctor.requests import SKU
from seckill_sidecar.ops.nginx.body import sees_one
from seckill_sidecar.ops.nginx.sight import any_sees_all
from seckill_sidecar.ops.parked import ParkedMessages, ParkedQueue
from seckill_sidecar.ops.rebuild import Parts, Queue
from seckill_sidecar.ops.routes import RouteSwitches
from seckill_sidecar.plugs.hand_over import HandOver, Tickets, UnservedResource
from seckill_sidecar.plugs.middleware import Application, Environ, Middleware, StartResponse
from seckill_sidecar.plugs.operator import Doors, Guard, Orders, Status, operator_application
from seckill_sidecar.plugs.operator import Metrics as OperatorMetrics
from seckill_sidecar.plugs.own import OrderResource, own_application
from seckill_sidecar.plugs.probe import Probe
from seckill_sidecar.ports import Broker, Consumer, OrdersDb, QueueState, Reserving
from seckill_sidecar.settings import Settings, load
from seckill_sidecar.settings.schema import Timeouts
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.tokens import PROBE, Keyring, SigningKey
from seckill_sidecar.wire.trace import follow
from seckill_sidecar.workers.relay import Expirer, OutboxConsumer, Relay
from seckill_sidecar.workers.shield import Shield
from seckill_sidecar.workers.switchboard import Switchboard
from seckill_sidecar.workers.ticker import Ticker
from seckill_sidecar.workers.writer import Writer

_writer_log = logging.getLogger("seckill_sidecar.writer")

_PROBE_SECONDS = 120.0
"""How long the doctor may ask through nginx."""
DEFAULT_CONFIG = "/etc/seckill/seckill.yaml"


class Site:
    """The parts of one site in one process, each made when it is first asked for."""

    def __init__(self, settings: Settings, clock: Clock | None = None, role: str = "") -> None:
        """``role`` is what this process counts as: ``sidecar``, ``relay``, ``writer``.

        ``middleware`` counts nothing, since nobody knows how its server forks; nor does a command, which has no role.
        """
        self.settings = settings
        self.clock = clock or SystemClock()
        self._role = role

    @cached_property
    def metrics(self) -> Metrics | None:
        """What this process counts; None if it counts nothing."""
        folder = self.settings.metrics.folder
        counts = self._role not in ("", "middleware")
        return Metrics(Path(folder), self._role) if folder is not None and counts else None

    @cached_property
    def tracing(self) -> Tracing | None:
        """Where this process's spans go; None if it tells of none."""
        settings = self.settings.tracing
        return begin_tracing(settings, self.clock) if settings.otlp is not None and self._role else None

    def end_tracing(self) -> None:
        """Send the spans that are left, within some seconds. At the very end."""
        if self.tracing is not None:
            self.tracing.close()

    # -- stores

    @cached_property
    def ledger(self) -> RedisLedger:
        settings = self.settings
        depth = None if settings.stores.broker == "none" else self._backlog
        moment = max(1.0, 2 * settings.writer.linger)
        return connect_ledger(settings, self.clock, Witness(self._high_water, depth, self.clock, moment))

    def _backlog(self) -> int:
        return self._queue_state(self.settings.broker.queue).messages

    def _high_water(self, sku: str) -> tuple[int, int]:
        with self.breaker("database").calling():
            return self.looked_up_orders.high_water(sku)

    @cached_property
    def broker(self) -> Broker | None:
        """None with ``broker: none``: the relay takes the outbox straight to the database."""
        settings = self.settings
        if settings.stores.broker == "none":
            return None
        return RabbitBroker(settings.stores.broker, settings.broker, settings.timeouts, self.clock, _process_name())

    @cached_property
    def orders(self) -> OrdersDb:
        return connect_orders_db(
            self.settings.stores.database, self.settings.writer, self.settings.timeouts, clock=self.clock
        )

    @cached_property
    def looked_up_orders(self) -> OrdersDb:
        """The same for whom a buyer waits: a purchase or a look-up has no time for the writer's patience."""
        settings = self.settings
        return connect_orders_db(settings.stores.database, settings.writer, self._hasty(2), clock=self.clock)

    @cached_property
    def replica(self) -> OrdersDb | None:
        """What look-ups ask first; the database has to have its turn within the request all the same."""
        settings = self.settings
        if settings.stores.replica is None:
            return None
        return connect_replica(settings.stores.replica, settings.writer, self._hasty(4), clock=self.clock)

    def _hasty(self, turns: int) -> Timeouts:
        """With the database's patience cut to so many turns within one request."""
        timeouts = self.settings.timeouts
        return timeouts.model_copy(update={"database": min(timeouts.database, timeouts.request / turns)})

    def breaker(self, store: str) -> StoreBreaker:
        """The process's one breaker of a store: ``ledger``, ``broker``, ``database``, ``replica`` or ``storefront``."""
        return self._breakers[store]

    @cached_property
    def _breakers(self) -> dict[str, StoreBreaker]:
        settings = self.settings.breakers
        stores = ("ledger", "broker", "database", "replica", "storefront")
        listeners = [log.log_breaker, *([self.metrics.breaker] if self.metrics else [])]
        return {store: StoreBreaker(store, getattr(settings, store), self.clock, listeners) for store in stores}

    @cached_property
    def keyring(self) -> Keyring:
        return Keyring([SigningKey(key.id, key.secret.get_secret_value().encode()) for key in self.settings.keys])

    # -- the gate

    def middleware(self, application: Application) -> Middleware:
        """The gate around a WSGI application."""
        own = own_application(self.settings.serve.prefix, self._order_resource(), self._unserved_resource())
        # Handed over, the request is nginx's: how long the shop takes isn't seen here.
        seen = self.settings.serve.hand_over == "proxy"
        return Middleware(
            application,
            self.gate,
            own,
            self.settings.serve.prefix,
            self.breaker("storefront"),
            self._probe(),
            self.clock,
            observers=[self.tracing.asked] if self.tracing is not None and seen else [],
        )

    def _probe(self) -> Probe:
        settings = self.settings
        routes = Routes(settings.routes, settings.limits.body)  # whether they are off at the moment or not
        return Probe(routes, AddressReader(settings.identity), self.keyring, self.clock)

    @cached_property
    def gate(self) -> Pipeline:
        settings = self.settings
        policies = settings.fallbacks
        return self._pipeline(
            self.ledger,
            self._room,
            self._hand_off,
            Policies(settings.timeouts.request, policies.on_ledger_down, policies.on_storefront_down),
            self._observers(),
            passes_on=self._mode_stage.passes_on,
            addressed=ABUSE if settings.log.abuse is not None else (),
            trace=follow if self.tracing is None else Sampler(settings.tracing.sample, self.clock),
        )

    def _pipeline(
        self,
        ledger: Reserving,
        room: Room,
        hand_off: HandOff,
        policies: Policies,
        observers: Sequence[Observer],
        **more: Any,
    ) -> Pipeline:
        """``more`` is what else a ``Pipeline`` may be given."""
        settings, clock = self.settings, self.clock
        known_items = [item.sku for item in settings.items]
        return Pipeline(
            routes=self._routes,
            room=room,
            local=Local(settings.limits.remember_sold_out, clock),
            identifier=self._identifier,
            reserver=Reserver(ledger, self.breaker("ledger"), clock, known_items),
            hand_off=hand_off,
            reply=Reply(settings.serve.prefix, self.keyring, settings.limits, clock, shielded=settings.shield.enabled),
            watcher=Watcher(settings.settles, settings.limits.body),
            promptly=Promptly(self.settler, clock),
            policies=policies,
            clock=clock,
            observers=observers,
            **more,
        )

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self.settings.routes, self.settings.limits.body, self.stances.of)

    @cached_property
    def _room(self) -> Room:
        return self._new_room()

    def _new_room(self) -> Room:
        return Room(self.settings.limits.in_flight, self.settings.limits.wait, self.clock)

    def tick(self) -> None:
        """Tell from now on how late the timers of this process are, and how much is under way, if anybody counts."""
        if (metrics := self.metrics) is not None:
            Ticker(lambda late: metrics.present.ticked(late, self._room.inside), self.clock).start()

    def each_turn(self, loop: str, beat: Callable[[str], None]) -> Callable[[], None]:
        """What a loop calls at each turn: ``beat``, and whoever counts."""
        metrics = self.metrics

        def turn() -> None:
            beat(loop)
            if metrics is not None:
                metrics.present.turned(loop, self.clock.wall())

        return turn

    def _observers(self) -> list[Observer]:
        settings = self.settings.log
        observers: list[Observer] = [log.DecisionLog(self.clock, self.keyring.pseudonym, settings.refusals)]
        if settings.abuse is not None:
            observers.append(AbuseLog(settings.abuse, self.clock))
        if self.metrics:
            observers.append(self.metrics.decided)
        if self.tracing:
            observers.append(self.tracing.decided)
        if self.shield is not None:
            observers.append(self.shield.tell)
        return observers

    # -- routes that are not, or not for all, the gate's to decide

    @cached_property
    def stances(self) -> Stances:
        """How each route is treated in this process."""
        return Stances(self.settings.routes)

    @cached_property
    def _mode_stage(self) -> ModeStage:
        # The oldest key: a new one that comes before it moves no buyer to the other side.
        secret = self.settings.keys[-1].secret.get_secret_value().encode() if self.settings.keys else b""
        observers = [self.metrics.passed_on] if self.metrics else []
        return ModeStage(self.stances, Share(secret), self._buyer_of, self._rehearsal().decide, observers)

    def _buyer_of(self, request: Request, match: Matched) -> str:
        return self._identifier.buyer_of(request, match.route, match.path_values)

    def _rehearsal(self) -> Pipeline:
        """The same gate, of which nobody hears but the log: it keeps nobody waiting, and hands nothing off."""
        settings = self.settings
        seconds = min(settings.timeouts.request, settings.timeouts.ledger)
        observers: list[Observer] = [
            log.DecisionLog(self.clock, self.keyring.pseudonym, settings.log.refusals, mode="shadow")
        ]
        if self.metrics:
            observers.append(self.metrics.rehearsed)
        hand_off = HandOff(self.ledger, None, self.breaker("broker"), "keep", log.log_left_undone)
        return self._pipeline(self.shadow, self._new_room(), hand_off, Policies(seconds, "refuse", "keep"), observers)

    @cached_property
    def shadow(self) -> ShadowLedger:
        """The ledger beside the ledger."""
        return connect_shadow(self.settings, self.clock)

    def route_switches(self, who: str) -> RouteSwitches:
        """What operators say of routes, seen and said by one of them."""
        return RouteSwitches(connect_switches(self.settings, self.clock), self.settings.routes, self.clock, who)

    def follow_switches(self) -> None:
        """Treat routes as operators say, from now on and as it changes."""
        if self.settings.routes:
            Switchboard(partial(connect_switches, self.settings, self.clock), self.stances, self.clock).start()

    @cached_property
    def shield(self) -> Shield | None:
        """None unless it is enabled."""
        settings = self.settings
        if not settings.shield.enabled:
            return None
        markers = self._markers
        connect = partial(connect_standings, settings, self.clock)
        return Shield(markers, connect, self.clock, any_sees_all(settings.routes), self.stances.spares)

    @cached_property
    def _markers(self) -> Markers:
        return Markers(Path(self.settings.shield.folder), self.clock)

    def keep_shield(self) -> None:
        """Keep the shield's markers from now on, if it is enabled; the last process of this host removes them."""
        if self.shield is not None:
            self.shield.start()
            atexit.register(self.shield.stop)

    @cached_property
    def _hand_off(self) -> HandOff:
        policy = self.settings.fallbacks.on_broker_down
        return HandOff(
            self.ledger, self.broker, self.breaker("broker"), policy, log.log_left_undone, self._hand_off_observers
        )

    @cached_property
    def _hand_off_observers(self) -> list[HandOffObserver]:
        return [teller.handed_off for teller in (self.metrics, self.tracing) if teller is not None]

    @cached_property
    def settler(self) -> Settler:
        """Settles orders for watched routes and for the operator."""
        deliver = self._hand_off.deliver_settled
        observers = [log.log_settling, *([self.metrics.settling] if self.metrics else [])]
        return Settler(self.ledger, self.breaker("ledger"), deliver, self.clock, observers)

    def settler_by_hand(self) -> Settler:
        """The same for a command, which prints what became of it; the relay hands the event off."""
        return Settler(self.ledger, self.breaker("ledger"), lambda *_: None, self.clock)

    @cached_property
    def _identifier(self) -> Identifier:
        settings = self.settings
        return Identifier(settings.identity, self.keyring, settings.limits.body, self.clock, order_ids(self.clock))

    @cached_property
    def look_up(self) -> LookUp:
        """Finds orders in the ledger, else in the database."""
        written = WrittenOrders(self.looked_up_orders, self.breaker("database"), self.replica, self.breaker("replica"))
        return LookUp(self.ledger, self.breaker("ledger"), written, self.clock)

    def doors(self, public: Application) -> Application:
        """What gunicorn serves: this application, and the operator's API at its own address if that is on."""
        operator = self.settings.operator
        if operator.token is None:
            return public
        guard = Guard(operator.token.get_secret_value(), self.keyring, self.clock)
        orders = Orders(guard, self.settler, self.look_up, self.settings.timeouts.request)
        application = operator_application(
            orders,
            OperatorMetrics(guard, self._metrics_text()),
            Status(guard, self._stores_that_answer, lambda: status.as_json(self.lookout.look())),
        )
        return Doors(public, application, operator.listen)

    def _stores_that_answer(self) -> dict[str, bool]:
        return {store: not why for store, why in self.lookout.look(most_items=0).stores.items()}

    def _metrics_text(self) -> Callable[[], bytes] | None:
        metrics = self.metrics
        if metrics is None:
            return None
        collectors: list[Collector] = [Moments(self.lookout), Audits(Path(str(self.settings.metrics.folder)))]
        if self.settings.shield.enabled:
            collectors.append(Marked(Markers(Path(self.settings.shield.folder), self.clock)))
        return lambda: metrics.text(collectors)

    def note_audit(self, report: Report) -> None:
        """Tell Prometheus of an audit of all items, if there is a folder of figures."""
        folder = self.settings.metrics.folder
        if folder is not None and os.path.isdir(folder):
            drift = sum(report.total(kind) for kind in ("missing", "unknown", "differing"))
            Audits(Path(folder)).note(drift, report.balanced, self.clock.wall())

    @cached_property
    def lookout(self) -> Lookout:
        """Sees how everything stands."""
        depth = None if self.settings.stores.broker == "none" else self._backlog
        routes = self.route_switches("").standing
        return Lookout(self.ledger, self.looked_up_orders, depth, self.clock, routes)

    def _order_resource(self) -> OrderResource:
        return OrderResource(
            self.look_up,
            self._identifier,
            self.settings.identity.buyer,
            self.keyring,
            self.clock,
            self.settings.timeouts.request,
        )

    def storefront(self) -> Application:
        """The legacy site as the sidecar reaches it. Raises ``UsageError`` if nobody says where it is."""
        settings = self.settings
        if settings.stores.storefront is None:
            raise UsageError("stores.storefront is missing: the sidecar needs to know where the legacy site is")
        proxy = ReverseProxy(settings.stores.storefront, settings.storefront, settings.timeouts, clock=self.clock)
        return HandOver(proxy, self._tickets) if settings.serve.hand_over == "x-accel" else proxy

    @cached_property
    def _tickets(self) -> Tickets:
        return Tickets(self.settings.serve.prefix, self.keyring, self.clock)

    def _unserved_resource(self) -> UnservedResource | None:
        if self.settings.serve.hand_over != "x-accel":
            return None
        return UnservedResource(self._tickets, self.look_up, self.gate, self.settings.timeouts.request)

    # -- the workers

    def expirer(self) -> Expirer:
        return Expirer(self.ledger, self.settings.relay, self.clock)

    def relay(self) -> Relay:
        """The relay to the broker; with ``broker: none`` there is a writer on the outbox instead."""
        if self.broker is None:
            raise UsageError("with stores.broker none there is nothing to relay to")
        settings, observers = self.settings.relay, self._hand_off_observers
        return Relay(self.ledger, self.broker, self.breaker("broker"), settings, self.clock, observers)

    def rebuild_parts(self) -> Parts:
        """What a rebuild works with."""
        settings, queue = self.settings, None
        if settings.stores.broker != "none":
            queue = Queue(
                state=lambda: self._queue_state(settings.broker.queue),
                consumer=self._rabbit_consumer,
                parked=lambda: self._queue_state(settings.broker.parked).messages,
            )
        return Parts(
            self.ledger,
            self.orders,
            queue,
            self.writer,
            self.clock,
            by=secrets.token_hex(8),
            quiet=max(2.0, settings.timeouts.request),
        )

    def _queue_state(self, queue: str) -> QueueState:
        settings = self.settings
        return queue_state(settings.stores.broker, settings.broker, settings.timeouts, _process_name(), queue)

    def writer(self, consumer: Consumer | None = None) -> Writer:
        """The writer, consuming the broker's queue, or the outbox itself with ``broker: none``."""
        return Writer(
            consumer or self.consumer,
            self.orders,
            self.settings.writer,
            self.breaker("database"),
            self.clock,
            _writer_log,
            on_violation=self._alarm,
            observers=[teller.committed for teller in (self.metrics, self.tracing) if teller is not None],
        )

    def _alarm(self, sku: str) -> None:
        """More of an item was sold than there is: count it, and sell no more."""
        if self.metrics is not None:
            self.metrics.violated(sku)
        self.ledger.switch(sku, "paused", Deadline.after(5.0, self.clock))

    @cached_property
    def consumer(self) -> Consumer:
        """Where the writer's events come from."""
        if self.settings.stores.broker == "none":
            return OutboxConsumer(self.ledger, self.clock)
        return self._rabbit_consumer()

    def _rabbit_consumer(self, queue: str = "") -> Consumer:
        settings = self.settings
        return RabbitConsumer(
            settings.stores.broker,
            settings.broker,
            settings.timeouts,
            self.clock,
            _process_name(),
            prefetch=2 * settings.writer.batch,
            queue=queue,
        )

    def parked_messages(self) -> ParkedMessages:
        """What could not be written, and what can be done about it."""
        settings, queue = self.settings, None
        if settings.stores.broker != "none":
            name = settings.broker.parked
            queue = ParkedQueue(
                depth=lambda: self._queue_state(name).messages, consumer=lambda: self._rabbit_consumer(name)
            )
        return ParkedMessages(self.orders, lambda: self.ledger, queue, self.clock)

    def examined(self) -> doctor.Questions:
        """Whom the doctor asks."""
        settings, url = self.settings, self.settings.stores.storefront
        ask_broker = partial(
            examine_broker, settings.stores.broker, settings.broker, settings.timeouts, _process_name()
        )
        seconds = settings.timeouts.storefront
        return doctor.Questions(
            settings,
            self.clock,
            ledger=lambda: examine_ledger(settings, self.clock),
            broker=None if settings.stores.broker == "none" else ask_broker,
            database=self.orders.examine,
            replica=None if self.replica is None else partial(self.replica.examine, writing=False),
            storefront=None if url is None else partial(probe.ask, "storefront", url, seconds=seconds),
            door=self._door,
        )

    def _door(self, url: str) -> doctor.Door:
        """The way through the nginx at this address."""
        if not self.keyring:
            raise UsageError("--through needs keys: in the configuration, so that the gate knows who asks")
        settings, nonce = self.settings, secrets.token_hex(8)
        return doctor.Door(
            ask=partial(probe.ask, "nginx", url, seconds=settings.timeouts.storefront),
            nonce=nonce,
            token=self.keyring.sign(PROBE, nonce, self.clock.wall() + _PROBE_SECONDS),
            mark=self._mark_probe if settings.shield.enabled else None,
            shielded=tuple(route for route in settings.routes if sees_one(route, settings)),
        )

    def _mark_probe(self, sold_out: bool) -> None:
        marked = frozenset([Verdict.SOLD_OUT.value])
        self._markers.mark(SKU, *((marked,) if sold_out else (UNMARKED, marked)))

    def refuse_unusable_folders(self) -> None:
        """Raise ``CannotCreate`` or ``NotPermitted`` for a folder that this process is to write to, and can't."""
        _ = self.metrics
        if self._role == "sidecar" and self.settings.shield.enabled:
            self._markers.prepare()

    def refuse_unfit_ledger(self) -> None:
        """Raise ``LedgerUntrusted`` if the server's settings could lose stock. One that is down may yet come up."""
        try:
            unfit = self.ledger.check(Deadline.after(5.0, self.clock))
        except StoreError as error:
            log.log_left_undone("the ledger could not be checked at start; the gate refuses until it answers", error)
            return
        if unfit:
            raise LedgerUntrusted("ledger", "; ".join(unfit))


class SeckillMiddleware:
    """The gate as WSGI middleware: ``app = SeckillMiddleware(app, "seckill.yaml")``."""

    def __init__(self, application: Application, conf: str | Path | Settings) -> None:
        """``conf`` is the YAML's path, or settings that were loaded already. Raises ``ConfigurationError``."""
        settings = conf if isinstance(conf, Settings) else load(conf, os.environ)
        site = Site(settings, role="middleware")
        site.refuse_unfit_ledger()
        site.follow_switches()
        site.keep_shield()
        self._middleware = site.middleware(application)
        atexit.register(site.end_tracing)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._middleware(environ, start_response)


def listening(settings: Settings) -> list[str]:
    """Where the sidecar listens: for nginx, and for the operator if there is a token."""
    operator = settings.operator
    return [settings.serve.listen, *([operator.listen] if operator.token is not None else [])]


def sidecar(settings: Settings | None = None) -> Any:
    """The sidecar's WSGI application for gunicorn; without settings, by the YAML that ``SECKILL_CONFIG`` names."""
    settings = settings or load(config_path(), os.environ)
    set_up_logging(settings)
    faults.arm(os.environ)
    site = Site(settings, role="sidecar")
    storefront = site.storefront()
    site.refuse_unfit_ledger()
    site.follow_switches()
    site.keep_shield()
    site.tick()
    atexit.register(site.end_tracing)
    return site.doors(site.middleware(storefront))


def set_up_logging(settings: Settings) -> None:
    """For the program's own processes; a site that wraps itself in the middleware keeps its own logging."""
    log.configure(settings.log)
    quiet_pika()
    quiet_opentelemetry()


def config_path() -> str:
    """The YAML's path: ``SECKILL_CONFIG``, or the default."""
    return os.environ.get("SECKILL_CONFIG", DEFAULT_CONFIG)


def _process_name() -> str:
    return f"seckill-sidecar {os.getpid()}"
