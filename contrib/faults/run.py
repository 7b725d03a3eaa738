"""One run: open the sale, let buyers come, inject, heal, resolve what is unknown, drain, check."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from stack import eventually

from faults.check import Case, Finding, check
from faults.crowd import buying, resolve
from faults.history import BROKEN, UNKNOWN, History, now_ms, recorded
from faults.kinds.fault import Fault
from faults.plan import Plan, plan_run
from faults.stage import Stage

DRAIN_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to."""

    fault: str
    seed: int
    happened: int
    accepted: int
    unknown: int
    resolved: int
    drained_s: float
    findings: Sequence[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return self.happened > 0 and not self.findings


def failed(fault: str, seed: int, error: Exception) -> Result:
    """The result of a run that could not be played to its end."""
    finding = Finding("broken run", f"{type(error).__name__}: {error}")
    return Result(fault, seed, 0, 0, 0, 0, 0.0, findings=[finding])


def play(stage: Stage, kind: type[Fault], seed: int, folder: Path) -> Result:
    """Play one run on a stage; its history goes to ``folder``."""
    plan, chance = plan_run(kind.name, seed, f"{kind.name}-{seed}-{now_ms() % 1_000_000}", kind.hold)
    fault = kind(stage, plan, chance)
    with recorded(folder / f"{kind.name}-{seed}.jsonl") as history:
        stage.settle()
        fault.prepare()
        stage.open_sale(plan)
        return _Run(stage, plan, fault, history).play()


class _Run:
    def __init__(self, stage: Stage, plan: Plan, fault: Fault, history: History) -> None:
        self.stage, self.plan, self.fault, self.history = stage, plan, fault, history
        self.forgot_ms = self.rebuilt_ms = 0

    def play(self) -> Result:
        healed = self._sell()
        unresolved = resolve(self.stage.sidecar.address, self.plan, self.history, self._left(healed))
        drained = self._drain(healed)
        happened = self.fault.happened()
        findings = check(self._case())
        self.history.note("over", happened=happened, drained_s=drained, findings=[str(one) for one in findings])
        told = self.history.told
        unknown = len({one.attempt.key for one in told if one.meaning in (UNKNOWN, BROKEN) and not one.polled})
        return Result(
            fault=self.fault.name,
            seed=self.plan.seed,
            happened=happened,
            accepted=len(self.history.orders),
            unknown=unknown,
            resolved=unknown - unresolved,
            drained_s=drained,
            findings=findings,
        )

    def _some_are_missing(self) -> bool:
        """Whether the ledger really has forgotten: what was cut off its end need not have been an order."""
        told = set(self.history.orders)
        return not told <= {row.order for row in self.stage.shelf.read(self.plan.sku).ledger}

    def _sell(self) -> float:
        """When the fault was healed (monotonic)."""
        plan, fault = self.plan, self.fault
        self.history.note("open", fault=fault.name, seed=plan.seed, sku=plan.sku, total=plan.total)
        lasts = fault.duration()
        with buying(self.stage.sidecar.address, plan, self.history) as pace:
            time.sleep(plan.fault_at)
            with pace.resting() if fault.slow else nullcontext():
                self._note("inject", fault.inject)
            injected_ms = now_ms()
            time.sleep(lasts)
            if fault.forgets and self._some_are_missing():
                self.forgot_ms, self.rebuilt_ms = injected_ms, now_ms()
            self._note("heal", fault.heal)
            healed = time.monotonic()
            time.sleep(plan.after)
        return healed

    def _note(self, what: str, do: Callable[[], None]) -> None:
        self.history.note(f"{what}…")
        do()
        self.history.note(f"{what} done")

    def _left(self, healed: float) -> float:
        return healed + DRAIN_WITHIN_S - time.monotonic()

    def _drain(self, healed: float) -> float:
        """Seconds from the healing until outbox and queue were empty; what is not empty then, the check will find."""
        try:
            eventually(self._drained, within=max(0.1, self._left(healed)))
        except TimeoutError as error:
            self.history.note("not drained", why=str(error))
        return time.monotonic() - healed

    def _drained(self) -> bool:
        outbox, orders, written_or_parked = self.stage.shelf.progress(self.plan.sku)
        if outbox or orders > written_or_parked:
            return False
        ledger, database = self.stage.shelf.states(self.plan.sku)
        settled = self.fault.hold > 60 or "held" not in ledger.values()
        return settled and all(database.get(order) in (state, None) for order, state in ledger.items())

    def _case(self) -> Case:
        return Case(
            told=self.history.told,
            books=self.stage.shelf.read(self.plan.sku),
            total=self.plan.total,
            per_buyer=self.plan.per_buyer,
            gives_back=self.plan.hold < 60,
            forgot_ms=self.forgot_ms,
            rebuilt_ms=self.rebuilt_ms,
        )
