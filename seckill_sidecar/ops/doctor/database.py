"""Whether the orders database is the last arbiter: our schema with its bounds, durable, and open to our writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ports import DatabaseVitals

_DATABASE = Subject("database")
_OFF = ("0", "OFF")


def judge(vitals: DatabaseVitals) -> Iterator[Finding]:
    """Everything about one database."""
    yield _DATABASE.ok("version", vitals.server)
    if vitals.variables:
        yield from _settings(vitals.variables)
    if vitals.schema:
        yield _DATABASE.fail(
            "schema", vitals.schema, "seckill-sidecar migrate, if this is the right database and program"
        )
        return
    yield _DATABASE.ok("schema", "the one of this program")
    yield _bounds(vitals.missing)
    yield _engines(vitals.untransactional)
    if not vitals.untransactional:
        yield _writing(vitals.no_write)
    yield from _statements(vitals.statements)


def _settings(variables: Mapping[str, str]) -> Iterator[Finding]:
    flush = variables.get("innodb_flush_log_at_trx_commit", "1")
    if flush != "1":
        yield _DATABASE.fail(
            "durability",
            f"innodb_flush_log_at_trx_commit is {flush}: a power cut takes back orders that were acknowledged",
            "set it to 1 in the server's configuration, and at once: SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        )
    else:
        yield _DATABASE.ok("durability", "innodb_flush_log_at_trx_commit is 1")
    yield _binlog(variables)
    if variables.get("read_only", "0") not in _OFF:
        yield _DATABASE.fail("read-only", "the server is read-only: a replica?", "name the primary in stores.database")
    if "STRICT" not in variables.get("sql_mode", "STRICT"):
        yield _DATABASE.warn(
            "strict-mode",
            "the server itself is not strict (ours is, but procedures and triggers keep the mode they were made in)",
            "SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',STRICT_TRANS_TABLES'), and make them again",
        )
    else:
        yield _DATABASE.ok("strict-mode", "on")


def _binlog(variables: Mapping[str, str]) -> Finding:
    if variables.get("log_bin", "0") in _OFF:
        return _DATABASE.ok("binlog", "none is written")
    if variables.get("sync_binlog", "1") != "1":
        return _DATABASE.fail(
            "binlog",
            f"sync_binlog is {variables['sync_binlog']}: after a crash, what is not in it is rolled back",
            "set it to 1 in the server's configuration, and at once: SET GLOBAL sync_binlog = 1",
        )
    return _DATABASE.ok("binlog", "sync_binlog is 1")


def _bounds(missing: tuple[str, ...]) -> Finding:
    if missing:
        return _DATABASE.fail(
            "bounds",
            f"{', '.join(missing)} is not there: the database would take what was sold twice",
            "put it back as the schema files have it (ALTER TABLE … ADD CONSTRAINT …)",
        )
    return _DATABASE.ok("bounds", "all CHECK constraints and unique keys are there")


def _engines(untransactional: tuple[str, ...]) -> Finding:
    if untransactional:
        return _DATABASE.fail(
            "engine",
            f"{', '.join(untransactional)}: without transactions, half a batch stays when the other half fails",
            "ALTER TABLE … ENGINE = InnoDB",
        )
    return _DATABASE.ok("engine", "all tables of ours have transactions")


def _writing(why: str) -> Finding:
    if why:
        return _DATABASE.fail(
            "write",
            f"an order can't be written: {why}",
            "GRANT SELECT, INSERT, UPDATE, DELETE on the database to this user; or mend what it says",
        )
    return _DATABASE.ok("write", "an order was written, read and rolled back")


def _statements(refused: Mapping[str, str]) -> Iterator[Finding]:
    for place, why in refused.items():
        yield _DATABASE.fail(
            "statements", f"{place} is refused: {why}", "mend the statement, the table or the privilege that it names"
        )
    if not refused:
        yield _DATABASE.ok("statements", "the server takes your own SQL (writer.on_…)")
