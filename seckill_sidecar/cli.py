"""The command ``seckill-sidecar``: reads the command line, runs one command, exits with a code by cause.

0 done, 1 a check failed, 2 called wrongly; the others are those of sysexits.h: 66 a file can't be read, 69 a store is
unavailable, 71 an address can't be opened, 73 a folder can't be used, 74 the disk is full, 77 this user may not, 78 the
configuration can't be used.
"""

from __future__ import annotations

import argparse
import atexit
import errno
import getpass
import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from seckill_sidecar import __version__, faults
from seckill_sidecar.adapters.systemd import ADDRESS, READY, Pulse, passed_doors, teller
from seckill_sidecar.clock import SystemClock
from seckill_sidecar.errors import ConfigurationError, SeckillError, StoreError, UsageError
from seckill_sidecar.gate.admit import NONCE_BYTES
from seckill_sidecar.gate.identify import is_buyer
from seckill_sidecar.model import SKU, Admission
from seckill_sidecar.observers.log import let_go_of_full_outputs
from seckill_sidecar.ops import (
    audit,
    doctor,
    eligible,
    export,
    install,
    items,
    nginx,
    orders,
    parked,
    rebuild,
    routes,
    status,
    verify,
)
from seckill_sidecar.plugs.listeners import doors_to_open, try_doors
from seckill_sidecar.settings import Settings, inspect, json_schema, load, show
from seckill_sidecar.settings.values import parse_duration
from seckill_sidecar.wire.admissions import SECOND, sign_admission
from seckill_sidecar.wire.tokens import BUYER
from seckill_sidecar.wiring import Site, config_path, listening, set_up_logging
from seckill_sidecar.workers.daemon import Daemon
from seckill_sidecar.workers.relay import repeat

Command = Callable[[argparse.Namespace], int]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_EX_IOERR = 74


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = parser().parse_args(argv)
    atexit.register(let_go_of_full_outputs)
    try:
        faults.arm(os.environ)
        command: Command = arguments.command
        code = command(arguments)
        if sys.stdout is not None:  # as it is if the caller closed it
            sys.stdout.flush()
    except ConfigurationError as error:
        _tell(str(error))
        return error.exit_code
    except StoreError as error:
        _tell(f"seckill-sidecar: {error}{error.remedy}")
        return error.exit_code
    except SeckillError as error:
        _tell(f"seckill-sidecar: {error}")
        return error.exit_code
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _tell(f"seckill-sidecar: it could not be written: {error.strerror}; make room, and run it again")
        return _EX_IOERR
    except KeyboardInterrupt:
        return 130
    return code


def _tell(what: str) -> None:
    with suppress(OSError):  # the disk that the log goes to may be full
        print(what, file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("-c", "--config", default=config_path(), metavar="FILE", help="the YAML (or SECKILL_CONFIG)")
    whole = argparse.ArgumentParser(prog="seckill-sidecar", description="A gate beside a legacy shop for flash sales.")
    whole.add_argument("--version", action="version", version=f"seckill-sidecar {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command, what: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[config], help=what, description=what)
        sub.set_defaults(command=run)
        return sub

    add("check", _check, "read the configuration as production does, and say what is wrong with it")
    shown = add("config", _config, "show the configuration with its defaults, or its JSON Schema")
    shown.add_argument("what", choices=["show", "schema"])
    add("migrate", _migrate, "create or update the project's tables in the database")
    add("serve", _serve, "run the sidecar under gunicorn")
    add("relay", _relay, "deliver what is left in the outbox, and expire unpaid holds")
    add("writer", _writer, "write orders from RabbitMQ to the database")
    items.add_arguments(add("item", _item, "load, open, close, add to, show or list items, or their shadows"))
    eligible.add_arguments(add("eligible", _eligible, "make or show the list of the buyers whom an item is for"))
    routes.add_arguments(add("route", _route, "show how a route is treated (mode, percent), or change it at once"))
    orders.add_arguments(
        add("order", _order, "show, pay or cancel an order; exit 3 unknown, 4 refused, 5 paid too late")
    )
    audit.add_arguments(
        add("audit", _audit, "compare ledger and database, order by order; exit 1 if anything is wrong")
    )
    status.add_arguments(add("status", _status, "how everything stands; exit 1 if something wants to be seen to"))
    doctor.add_arguments(
        add("doctor", _doctor, "ask every store before the sale, and say what to mend; exit 3 warnings, 1 failures")
    )
    top = add("top", _top, "the same, again and again")
    top.add_argument("--every", default="2s", help="how often to look (2s)")
    parked.add_arguments(add("parked", _parked, "list, show, retry, refund or collect what could not be written"))
    rebuild.add_arguments(
        add("rebuild", _rebuild, "make an item's ledger anew from the database; a dry run unless --apply is given")
    )
    export.add_arguments(add("export", _export, "write a sale's history as JSONL; exit 1 if events are missing"))
    verify.add_arguments(add("verify", _verify, "check an exported history; exit 1 names where it breaks"))
    nginx.add_arguments(add("nginx", _nginx, "print the nginx configuration that the routes ask for, or write it"))
    install.add_arguments(add("install", _install, "lay out units, configuration, nginx files and user on this host"))
    token = add("token", _token, "make a buyer's signed token, for a shop's log-in or for trying out")
    token.add_argument("--buyer", required=True)
    token.add_argument("--ttl", default="1h", help="how long it is good for (1h)")
    token.add_argument(
        "--admission", metavar="SKU", help="make an admission to this item instead, whether it opens or not"
    )
    return whole


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = load(arguments.config, os.environ)
    set_up_logging(settings)
    return settings


def _check(arguments: argparse.Namespace) -> int:
    report = inspect(arguments.config, os.environ)
    for finding in (*report.problems, *report.warnings):
        _tell(str(finding) if finding in report.problems else f"{finding} (warning)")
    if report.problems:
        return 1
    print(f"{arguments.config} is sound")
    return 0


def _config(arguments: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2) if arguments.what == "schema" else show(_settings(arguments)), end="\n")
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    applied = Site(_settings(arguments)).orders.migrate()
    print("\n".join(f"applied {name}" for name in applied) or "nothing to do: the schema is current")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    if settings.stores.storefront is None:
        raise UsageError("stores.storefront is missing: the sidecar needs to know where the legacy site is")
    try_doors(doors_to_open(listening(settings), passed_doors(os.environ, os.getpid())))
    site = Site(settings, role="sidecar")
    site.refuse_unusable_folders()  # told here, in a line, and not by each worker
    site.refuse_unfit_ledger()
    os.environ["SECKILL_CONFIG"] = os.path.abspath(arguments.config)
    # -P: what lies in the current folder is not to be taken for the program.
    command = [sys.executable, "-P", "-m", "gunicorn", "-c", "python:seckill_sidecar.gunicorn_conf"]
    # gunicorn takes this process's place: its master is what a service manager started and signals.
    os.execv(sys.executable, command)  # noqa: S606 - fixed words, no shell


def _relay(arguments: argparse.Namespace) -> int:
    settings, daemon = _settings(arguments), _daemon(arguments)
    site, stop = Site(settings, role="relay"), daemon.stop
    site.refuse_unusable_folders()
    every, tell = settings.relay.every, teller(os.environ.get(ADDRESS, ""))
    pulse = Pulse(("expire", "relay"), tell)
    expire_turn, relay_turn = site.each_turn("expire", pulse.beat), site.each_turn("relay", pulse.beat)
    expirer = threading.Thread(
        target=repeat, args=("expire", site.expirer().step, every, stop, expire_turn), name="expire"
    )
    expirer.start()
    tell(READY)
    try:
        if site.broker is None:
            site.writer().run(stop, relay_turn)
        else:
            relay = site.relay()
            repeat("relay", relay.step, every, stop, relay_turn)
            relay.close()
            site.broker.close()
    finally:
        stop.set()
        expirer.join()
        site.ledger.close()
        site.end_tracing()
    daemon.begin_anew_if_asked("relay", "-c", arguments.config)
    return 0


def _writer(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    if settings.stores.broker == "none":
        raise UsageError("with stores.broker none the relay writes to the database itself; run: seckill-sidecar relay")
    daemon, tell = _daemon(arguments), teller(os.environ.get(ADDRESS, ""))
    site, pulse = Site(settings, role="writer"), Pulse(("writer",), tell)
    site.refuse_unusable_folders()
    tell(READY)
    try:
        site.writer().run(daemon.stop, site.each_turn("writer", pulse.beat))
    finally:
        site.consumer.close()
        site.orders.close()
        site.end_tracing()
    daemon.begin_anew_if_asked("writer", "-c", arguments.config)
    return 0


def _daemon(arguments: argparse.Namespace) -> Daemon:
    return Daemon(lambda: inspect(arguments.config, os.environ).problems)


def _item(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    site = Site(settings)
    command = items.Items(site.ledger, site.shadow, site.orders, site.clock)
    print(command.run(arguments, settings.items))
    return 1 if command.damaged else 0


def _eligible(arguments: argparse.Namespace) -> int:
    text, code = Site(_settings(arguments)).invited_lists().run(arguments)
    print(text)
    return code


def _route(arguments: argparse.Namespace) -> int:
    site = Site(_settings(arguments))
    print(site.route_switches(_operator()).run(arguments))
    return 0


def _operator() -> str:
    """Who has called: the user behind sudo, if there is one, and the host."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _order(arguments: argparse.Namespace) -> int:
    site = Site(_settings(arguments))
    text, code = orders.Orders(site.settler_by_hand(), site.look_up).run(arguments)
    print(text, file=sys.stderr if code and not arguments.json else sys.stdout)
    return code


def _audit(arguments: argparse.Namespace) -> int:
    site = Site(_settings(arguments))
    text, balanced = audit.run(arguments, site.ledger, site.orders, site.clock, site.note_audit)
    print(text)
    return 0 if balanced else 1


def _status(arguments: argparse.Namespace) -> int:
    standing = Site(_settings(arguments)).lookout.look()
    print(status.show(standing, arguments.json))
    return 1 if status.troubles(standing) else 0


def _doctor(arguments: argparse.Namespace) -> int:
    text, code = doctor.run(arguments, Site(_settings(arguments)).examined())
    print(text)
    return code


def _top(arguments: argparse.Namespace) -> int:
    try:
        every = parse_duration(arguments.every)
    except ValueError as error:
        raise UsageError(f"--every {error}") from error
    lookout, stop = Site(_settings(arguments)).lookout, _stop_on_signals()
    while not stop.is_set():
        print(status.CLEAR if sys.stdout.isatty() else "", status.show(lookout.look(), False), sep="", flush=True)
        stop.wait(max(0.1, every))
    return 0


def _parked(arguments: argparse.Namespace) -> int:
    text, code = Site(_settings(arguments)).parked_messages().run(arguments)
    print(text)
    return code


def _rebuild(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    print(rebuild.run(arguments, Site(settings).rebuild_parts(), settings.items))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    site = Site(_settings(arguments))
    return export.run(arguments, site.orders, site.clock, lambda line: print(line, file=sys.stderr))


def _verify(arguments: argparse.Namespace) -> int:
    verified = verify.verify_file(arguments.file)
    print(f"sound: {verified.count} events of {verified.item}, epoch {verified.epoch}, ending with {verified.digest}")
    if arguments.against_ledger:
        site = Site(_settings(arguments))
        print(verify.compare(verified, site.ledger, site.clock))
    return 0


def _nginx(arguments: argparse.Namespace) -> int:
    print(nginx.run(arguments, _settings(arguments)))
    return 0


def _install(arguments: argparse.Namespace) -> int:
    print(install.run(arguments))
    return 0


def _token(arguments: argparse.Namespace) -> int:
    keyring = Site(_settings(arguments)).keyring
    if not keyring:
        raise UsageError("the configuration has no keys to sign with")
    if not is_buyer(arguments.buyer):
        raise UsageError("--buyer has to be 1 to 255 characters, none of them a control character")
    try:
        seconds = parse_duration(arguments.ttl)
    except ValueError as error:
        raise UsageError(f"--ttl {error}") from error
    expires = SystemClock().wall() + seconds
    if arguments.admission is None:
        print(keyring.sign(BUYER, arguments.buyer, expires))
        return 0
    if SKU.fullmatch(arguments.admission) is None:
        raise UsageError(f"--admission {arguments.admission!r} is no SKU")
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    print(sign_admission(keyring, Admission(arguments.buyer, arguments.admission, nonce, int(expires * SECOND))))
    return 0


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
