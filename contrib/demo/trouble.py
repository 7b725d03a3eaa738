"""The demo's own failure: what went wrong and what to do about it."""

from __future__ import annotations


class DemoFailed(Exception):
    """The demo can't go on. ``remedy`` is what the reader does next; ``log`` the end of the failed program's log."""

    def __init__(self, what: str, remedy: str, log: str = "") -> None:
        self.what, self.remedy, self.log = what, remedy, log
        super().__init__(what)

    def __str__(self) -> str:
        log = f"\n{self.log.rstrip()}\n" if self.log else ""
        return f"{log}demo: {self.what}\n      {self.remedy}"
