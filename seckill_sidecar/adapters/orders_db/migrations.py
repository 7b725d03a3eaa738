"""Applies the numbered schema files, once each, by one process at a time.

    lock ──► what was applied? ──► refuse what does not fit ──► apply and record each missing file ──► unlock

MySQL commits each CREATE or ALTER by itself. So a crash can leave a file half applied and unrecorded, and it is applied
again: each statement of a file has to bear that (IF NOT EXISTS).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from seckill_sidecar.adapters.orders_db.session import Dialect, Session, Statement
from seckill_sidecar.adapters.orders_db.statements import sql_folder
from seckill_sidecar.errors import SchemaMismatch

PATIENCE = 60.0
"""Seconds that one statement, or the wait for another migrating process, may take."""

_NUMBERED = re.compile(r"[0-9]{4}_\w+\.sql")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One numbered file."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def schema_files(dialect: Dialect) -> list[SchemaFile]:
    """The schema files of one kind of database, in order."""
    entries = (entry for entry in sql_folder(dialect).iterdir() if _NUMBERED.fullmatch(entry.name))
    return sorted((SchemaFile(entry.name, entry.read_text("utf-8")) for entry in entries), key=lambda file: file.name)


def migrate(session: Session, dialect: Dialect, queries: Mapping[str, Statement], files: list[SchemaFile]) -> list[str]:
    """Apply what is missing and return the names; raises ``SchemaMismatch`` if what was applied is not what we have."""
    with dialect.migrating(session, PATIENCE):
        session.run(queries["create_migrations"], [{}])
        applied = dict(session.fetch(queries["applied"], {}))
        refuse_others(applied, files)
        missing = [file for file in files if file.name not in applied]
        for file in missing:
            _apply(session, dialect, queries, file)
    return [file.name for file in missing]


def refuse_others(applied: Mapping[str, str], files: list[SchemaFile]) -> None:
    """Raise ``SchemaMismatch`` if what was applied is not what this program has."""
    known = {file.name: file.checksum for file in files}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        raise SchemaMismatch(
            "database", f"its schema is of a later version of this program ({', '.join(newer)}): upgrade"
        )
    for name, checksum in applied.items():
        if checksum != known[name]:
            raise SchemaMismatch(
                "database",
                f"{name} was applied with other content than this program has: restore the file, add a new one",
            )


def _apply(session: Session, dialect: Dialect, queries: Mapping[str, Statement], file: SchemaFile) -> None:
    for number, sql in enumerate(dialect.syntax.split(file.text), 1):
        session.run(dialect.compile(f"{file.name}, statement {number}", sql, ours=True), [{}])
    record = {"name": file.name, "checksum": file.checksum, "applied_at_ms": int(time.time() * 1000)}
    session.run(queries["record_migration"], [record])
