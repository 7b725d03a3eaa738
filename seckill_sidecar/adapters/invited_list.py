"""The file of an item's invited buyers: a Bloom filter of keyed hashes, checked whole before anything is believed.

    seckill-invited 1\\n
    {"sku": …, "generation": …, "salt": …, "buckets": …, "count": …}\\n
    the filter, as rbloom writes it
    SHA-256 of all this, 32 bytes

A buyer is hashed once (BLAKE2b, 128 bits, keyed with the file's salt): the filter takes the whole hash, and the ledger
a bucket and 64 bits of it, see ``ledger/invitations.py``. The salt is the file's own, so that nobody can choose names
that pass, and no change of ``keys`` makes a list worthless.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from rbloom import Bloom

from seckill_sidecar.errors import UnusableList
from seckill_sidecar.ports import Generation, Seat

_MAGIC = b"seckill-invited 1\n"
_DIGEST = 32
_LARGEST = 256 * 2**20
_PASSES = 0.0005
"""Share of strangers that pass the filter: 16 bits a buyer."""
_IN_A_BUCKET = 128
"""Members of a bucket, on average: Redis keeps up to 512 whole numbers in 8 bytes each."""


class BloomList:
    """``ports.InvitedList``, and ``ports.NewList`` while it is being made."""

    def __init__(self, generation: Generation, salt: bytes, bloom: Bloom) -> None:
        self.generation = generation
        self._salt = salt
        self._bloom = bloom

    @classmethod
    def new(cls, sku: str, name: str, salt: bytes, count: int) -> BloomList:
        """An empty one with room for ``count`` buyers; ``salt`` is 16 random bytes."""
        buckets = 1 << max(0, (count // _IN_A_BUCKET)).bit_length()
        return cls(Generation(sku, name, buckets, count), salt, Bloom(max(1, count), _PASSES, _as_it_is))

    def add(self, buyer: str) -> Seat:
        """Invite a buyer."""
        mark = self._mark(buyer)
        self._bloom.add(mark)
        return self._seat(mark)

    def seat(self, buyer: str) -> Seat | None:
        """Where the ledger has this buyer, if anywhere."""
        mark = self._mark(buyer)
        return self._seat(mark) if mark in self._bloom else None

    def _mark(self, buyer: str) -> int:
        digest = hashlib.blake2b(buyer.encode(), digest_size=16, key=self._salt).digest()
        return int.from_bytes(digest, "big", signed=True)

    def _seat(self, mark: int) -> Seat:
        low = mark & (2**64 - 1)
        bucket = (mark >> 64) & (self.generation.buckets - 1)
        return Seat(self.generation.name, bucket, low - 2**64 if low >> 63 else low)

    def write(self, path: str) -> int:
        """Put it into a file, at once or not at all; its size."""
        one = self.generation
        head = {
            "sku": one.sku, "generation": one.name, "salt": self._salt.hex(), "buckets": one.buckets, "count": one.count
        }  # fmt: skip
        content = b"".join([_MAGIC, json.dumps(head).encode(), b"\n", self._bloom.save_bytes()])
        content += hashlib.sha256(content).digest()
        try:
            _replace(Path(path), content)
        except OSError as error:
            raise UnusableList(
                f"{path} can't be written: {error.strerror}; make its folder, or run this as who may"
            ) from error
        return len(content)


def read_list(path: str, sku: str) -> BloomList:
    """The list of an item. Raises ``UnusableList`` for whatever isn't whole, with what to do."""
    try:
        if os.stat(path).st_size > _LARGEST:
            raise UnusableList(f"{path} is larger than any list of ours; {_remedy(sku)}")
        content = Path(path).read_bytes()
    except PermissionError as error:
        raise UnusableList(f"{path} can't be read: {error.strerror}; let the sidecar's user read it") from error
    except OSError as error:
        raise UnusableList(f"{path} can't be read: {error.strerror}; {_remedy(sku)}") from error
    whole, digest = content[:-_DIGEST], content[-_DIGEST:]
    if not whole.startswith(_MAGIC) or hashlib.sha256(whole).digest() != digest:
        raise UnusableList(f"{path} is damaged, or no list of invited buyers; {_remedy(sku)}")
    line, _, filtered = whole[len(_MAGIC) :].partition(b"\n")
    head = json.loads(line)
    if head["sku"] != sku:
        raise UnusableList(f"{path} is the list of {head['sku']}, not of {sku}; {_remedy(sku)}")
    generation = Generation(sku, head["generation"], head["buckets"], head["count"])
    return BloomList(generation, bytes.fromhex(head["salt"]), Bloom.load_bytes(filtered, _as_it_is))


def version_of(path: str) -> Hashable:
    """What changes when another file takes its place; None if there is none to be seen."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _remedy(sku: str) -> str:
    return f"make it: seckill-sidecar eligible load {sku} --from FILE"


def _as_it_is(mark: int) -> int:
    """What is added are hashes already."""
    return mark


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
