#!/usr/bin/env bash
# The whole suite with threads, in two halves, and beside them what concerns concurrency under gevent. Each of the
# three has servers of its own, and most of each is waiting: at once they take a third of the time.
#
#   contrib/stack/test.sh .venv/bin/python [pytest's arguments, to pick tests]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$1
shift
halves=(audit broker export faults ledger orders_db parked rebuild writer)
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM

"$python" -m pytest "${halves[@]/#/tests/}" "$@" >"$said/stores" 2>&1 &
stores=$!
"$python" contrib/stack/pytest_gevent.py -m gevent_too "$@" >"$said/gevent" 2>&1 &
gevent=$!
"$python" -m pytest "${halves[@]/#/--ignore=tests/}" "$@"
codes=($?)
wait "$stores"
codes+=($?)
echo "── the stores, the writer, audits and faults"
cat "$said/stores"
wait "$gevent"
codes+=($?)
echo "── under gevent"
cat "$said/gevent"

# 5 is "no test was picked": fine for some of the three when arguments pick, not for all.
picked=5
for code in "${codes[@]}"; do
    case "$code" in
        0) picked=0 ;;
        5) ;;
        *) exit "$code" ;;
    esac
done
exit "$picked"
