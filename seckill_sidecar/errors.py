"""Every error that crosses a layer, and what each asks of the reader.

An error of a store says three things: which store, whether the call may have taken effect
(``OutcomeUnknown``) or surely has not (``StoreDown``), and whether it counts against the store's
breaker (``trips``). Adapters raise these ``from`` the library's own exception; no other layer ever
sees a foreign one.
"""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass


class SeckillError(Exception):
    """Base of all errors of this project; its text is meant for an operator."""

    exit_code = 1
    """What the command line exits with when this error ends the program."""


class UsageError(SeckillError):
    """The command was called in a way that it can't serve; the text says what to call instead."""

    exit_code = 2


class CannotListen(SeckillError):
    """An address that the configuration names can't be opened; the text says which, why, and what to do."""

    exit_code = 71  # EX_OSERR of sysexits.h


class CannotCreate(SeckillError):
    """A folder or file that the configuration names can't be made or used; the text says which, why, and what to do."""

    exit_code = 73  # EX_CANTCREAT


class NotPermitted(SeckillError):
    """The user that this runs as may not do what the configuration asks for; the text says what, and who that is."""

    exit_code = 77  # EX_NOPERM


def cannot_use(what: str, error: OSError) -> SeckillError:
    """The error to raise for a folder (``what``: its setting and path) that this process can't write to."""
    why = f"{what} can't be used: {error.strerror or error}"
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CannotCreate(f"{why}; mend that, or name another")
    return NotPermitted(
        f"{why}; this runs as {running_as()}: start it as the user whom that belongs to (User= of the unit; its"
        " ReadWritePaths= names it), or give it to this one"
    )


def running_as() -> str:
    """The name of the user that this process runs as, for messages."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a configuration file: where it stands, and what and how to mend it."""

    file: str
    line: int
    column: int
    where: str
    what: str
    unread: bool = False
    """Whether it is only that a file can't be read."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.where}: {self.what}"


class ConfigurationError(SeckillError):
    """The configuration can't be used; carries every problem found, in the order of the file."""

    exit_code = 78  # EX_CONFIG of sysexits.h

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Unreadable(ConfigurationError):
    """A file can't be read: the configuration, or a secret that it names. Nothing else is wrong as far as is known."""

    exit_code = 66  # EX_NOINPUT


class UntrustedToken(SeckillError):
    """A token that proves nothing: forged, expired, made for another site, signed by a key that is not known."""


class UnusableList(SeckillError):
    """A list of invited buyers is missing, damaged or another item's; the text says which, why, and what to do."""

    exit_code = 66  # EX_NOINPUT


class StoreError(SeckillError):
    """A store (ledger, broker, database, storefront) did not do what it was asked."""

    exit_code = 69  # EX_UNAVAILABLE
    trips = True
    """Whether this counts as a failure of the store. A refusal by a healthy store does not."""
    evidence = True
    """Whether this says anything about the store at all. A call that was never sent to it does not."""
    remedy = ""
    """What a command adds to the text, where the text itself does not say what to do."""

    def __init__(self, store: str, what: str) -> None:
        self.store = store
        self.what = what
        super().__init__(f"{store}: {what}")


class StoreDown(StoreError):
    """The store could not be reached, or broke off before the call was sent: nothing was changed."""

    remedy = "; see whether it runs, and whether stores: names it as it is (seckill-sidecar doctor asks them all)"


class OutcomeUnknown(StoreError):
    """The call was sent and no answer came: it may or may not have taken effect. Ask again by id."""


class BreakerOpen(StoreError):
    """The store failed too often a moment ago, so it is left alone; nothing was sent."""

    trips = False
    evidence = False

    def __init__(self, store: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(store, f"breaker open, next trial in {retry_after:.1f} s")


class DeadlinePassed(StoreError):
    """The request's time was over before this call could be sent: nothing was changed."""

    trips = False
    evidence = False


class TooBusy(StoreError):
    """A bounded queue in this process is full: nothing was sent. It says nothing about the store."""

    trips = False
    evidence = False


class LedgerUntrusted(StoreError):
    """The ledger answered, but what it holds can't be trusted (missing or wrong-typed key, other epoch)."""

    trips = False


class Unroutable(StoreError):
    """The broker has no queue for this message. The order stays in the outbox; check the binding."""


class QueueFull(StoreError):
    """The broker refused the message (``reject-publish``, nack). The order stays in the outbox."""


class Unsolved(SeckillError):
    """What was sent is no solution of a challenge; ``why`` is for whoever has sent it."""

    def __init__(self, why: str, solution: str = "", spent: bool = False) -> None:
        """``solution`` tells it from every other one, if it is one that was true once, or may have been; ``spent``
        means that it must not be tried again."""
        super().__init__(why)
        self.why = why
        self.solution = solution
        self.spent = spent


class BadMessage(SeckillError):
    """A message that this version can't read (corrupt, or of a later schema). It is parked, never dropped."""


class Unwritable(StoreError):
    """The database refused these rows for what they hold (a constraint, a type), not for how it feels."""

    trips = False


class Violation(Unwritable):
    """Rows that can't all be true of one sale: the ledger has sold what it did not have, or is not the one it was."""


class OverTotal(Violation):
    """Held and paid units would exceed the item's total. Perhaps the event that frees units is still on its way;
    an order that stays so was sold twice over."""


class NumberTaken(Violation):
    """Another order has this order's number in its item and epoch: two ledgers have sold the same units."""


class SchemaMismatch(StoreDown):
    """The database and this program (or a statement of the configuration) don't fit together: a table, a column or a
    privilege is missing, or the schema is of another version. No order is at fault, so none is parked: mend what the
    text names, and the waiting ones are written."""

    exit_code = 78  # EX_CONFIG of sysexits.h
    trips = False
    remedy = ""
