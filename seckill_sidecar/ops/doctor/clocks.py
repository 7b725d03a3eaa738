"""Whether all clocks tell the same time: sales open by Redis's, tokens and signatures expire by this host's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seckill_sidecar.ops.doctor.finding import Finding, Subject

_CLOCKS = Subject("clocks")
_NOTABLE, _HARMFUL = 2.0, 30.0
_REMEDY = "let chrony or systemd-timesyncd keep the time on both (timedatectl tells)"


def judge(ahead: Mapping[str, float]) -> Iterator[Finding]:
    """By whom was asked: how many seconds its clock is ahead of ours."""
    for name, seconds in ahead.items():
        says = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this host"
        if abs(seconds) > _HARMFUL:
            yield _CLOCKS.fail(name, f"{says}: sales open and signatures expire at the wrong moment", _REMEDY)
        elif abs(seconds) > _NOTABLE:
            yield _CLOCKS.warn(name, f"{says}: sales open early or late by that", _REMEDY)
        else:
            yield _CLOCKS.ok(name, f"as this host, within {_NOTABLE:g} s")
