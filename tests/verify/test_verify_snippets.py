"""The drop-in checks of the signature, each in its own language, and all held to the same vectors."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from shop.signature import FRESH_FOR, Unsigned, read_purchase
from stack.base import program

from seckill_sidecar.model import Order, State
from seckill_sidecar.wire.tokens import Keyring, SigningKey

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SECRETS = {"new": b"the new secret of the site", "old": b"the old secret of the site"}
NOW = 1_764_000_000
ORDER = "kettle~01ARZ3NDEKTSV4RRFFQ69G5FAV"
BUYERS = ["ann", "Zoë Müller", "买家", "a&b<c>+d%20", "two\nlines", "🎁", "x" * 255, "a/b?c=d#e"]


@dataclass(frozen=True)
class Vector:
    """Headers at a moment, and what has to be found in them; None if they prove nothing."""

    what: str
    headers: dict[str, str]
    now: int = NOW
    buyer: str | None = None
    quantity: int = 1

    def without(self, what: str, *names: str, **changed: str) -> Vector:
        """The same without these headers, or with these changed; nothing may be found in it."""
        headers = {name: value for name, value in self.headers.items() if name not in names}
        headers |= {f"X-Seckill-{name}": value for name, value in changed.items()}
        return replace(self, what=what, headers=headers, buyer=None)

    def at(self, what: str, now: int, good: bool) -> Vector:
        """The same at another moment."""
        return replace(self, what=what, now=now, buyer=self.buyer if good else None)

    @property
    def expected(self) -> str:
        """What a drop-in has to say, in a line."""
        return "" if self.buyer is None else f"ok {ORDER} kettle {self.buyer.encode().hex()} {self.quantity}"


def signed(
    buyer: str = "ann", key: str = "new", secret: bytes | None = None, order: str = ORDER, **more: int
) -> Vector:
    """What the sidecar really sends."""
    keyring = Keyring([SigningKey(key, SECRETS[key] if secret is None else secret)])
    accepted = Order(
        id=order,
        item="kettle",
        buyer=buyer,
        quantity=more.get("quantity", 1),
        state=State.HELD,
        seq=1,
        epoch=1,
        accepted_at_ms=0,
        due_at_ms=0,
    )
    headers = dict(keyring.storefront_headers(accepted, NOW))
    return Vector(f"{buyer[:9]!r} by {key}", headers, buyer=buyer, quantity=accepted.quantity)


def vectors() -> Iterator[Vector]:
    good = signed()
    yield from map(signed, BUYERS)
    yield signed(key="old")
    yield signed(quantity=9999)
    for name, value in good.headers.items():
        part = name.removeprefix("X-Seckill-")
        yield good.without(f"no {part}", name)
        yield good.without(f"an empty {part}", **{part: ""})
        yield good.without(f"another {part}", **{part: value[:-1] + ("1" if value[-1] != "1" else "2")})
        yield good.without(f"a longer {part}", **{part: value + "0"})
        yield good.without(f"a {part} with a blank", **{part: value + " x"})
        yield good.without(f"a {part} beyond ASCII", **{part: value + "é"})
    yield good.without("signed with the other key", Key="old")
    yield good.without("signed with a key that is gone", Key="gone")
    yield good.without("a signature in capitals", Signature=good.headers["X-Seckill-Signature"].upper())
    yield good.without("half a signature", Signature=good.headers["X-Seckill-Signature"][:32])
    yield good.without("a broken percent-encoding", Buyer="ann%")
    yield good.without("another broken one", Buyer="an%zz")
    yield good.without("a buyer who is no UTF-8", Buyer="ann%ff")
    yield good.without("lines moved", Item="kettle%0aann", Buyer="1")
    yield signed(secret=b"somebody else's secret").without("a forged signature")
    yield signed(order="kettle").without("an order that is none")
    yield signed(order=ORDER + "\n").without("an order with a line break")
    yield good.at("just fresh", NOW + FRESH_FOR, good=True)
    yield good.at("a clock that is behind", NOW - FRESH_FOR, good=True)
    yield good.at("stale", NOW + FRESH_FOR + 1, good=False)
    yield good.at("from the future", NOW - FRESH_FOR - 1, good=False)


VECTORS = list(vectors())
Check = Callable[[Sequence[Vector]], list[str]]


def in_python(vectors: Sequence[Vector]) -> list[str]:
    return [_in_python(vector) for vector in vectors]


def _in_python(vector: Vector) -> str:
    named = {name.lower(): value for name, value in vector.headers.items()}
    try:
        found = read_purchase(lambda name: named.get(name.lower()), SECRETS, vector.now)
    except Unsigned as error:
        return f"unsigned {error}"
    return f"ok {found.order} {found.item} {found.buyer.encode().hex()} {found.quantity}"


def in_php(vectors: Sequence[Vector]) -> list[str]:
    return _told([program("php"), str(HERE / "run_vectors.php")], vectors)


def in_java(vectors: Sequence[Vector], folder: Path) -> list[str]:
    sources = [HERE / "RunVectors.java", ROOT / "contrib/verify/SeckillPurchase.java"]
    texts = [source.read_text(encoding="utf-8") for source in sources]
    # java runs the first class of one file.
    imports = {line for text in texts for line in re.findall(r"(?m)^import .*;$", text)}
    classes = [
        re.sub(r"(?m)^import .*;\n", "", text).replace("public final class Seckill", "final class Seckill")
        for text in texts
    ]
    whole = folder / "RunVectors.java"
    whole.write_text("\n".join([*sorted(imports), *classes]), encoding="utf-8")
    return _told(["java", "-Dfile.encoding=UTF-8", str(whole)], vectors)


def _told(command: list[str], vectors: Sequence[Vector]) -> list[str]:
    lines = [
        " ".join(
            [
                str(vector.now),
                *(f"{name.encode().hex()}={value.encode().hex()}" for name, value in vector.headers.items()),
            ]
        )
        for vector in vectors
    ]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def wrong(told: Sequence[str]) -> list[str]:
    """Where a drop-in says otherwise than it has to."""
    assert len(told) == len(VECTORS)
    return [
        f"{vector.what}: {said}"
        for vector, said in zip(VECTORS, told, strict=True)
        if (said != vector.expected if vector.expected else not said.startswith("unsigned "))
    ]


def test_python_finds_what_was_signed_and_refuses_the_rest() -> None:
    assert wrong(in_python(VECTORS)) == []


def test_php_finds_what_was_signed_and_refuses_the_rest() -> None:
    assert wrong(in_php(VECTORS)) == []


@pytest.mark.skipif(shutil.which("java") is None, reason="this machine has no java")
def test_java_finds_what_was_signed_and_refuses_the_rest(tmp_path: Path) -> None:
    assert wrong(in_java(VECTORS, tmp_path)) == []
