#!/usr/bin/env bash
# The whole suite with threads, in three parts, and beside them what concerns concurrency under gevent. Each of the
# four has servers of its own, and most of each is waiting: at once they take a third of the time.
#
#   contrib/stack/test.sh .venv/bin/python [pytest's arguments, to pick tests]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$1
shift
stores=(audit broker export faults ledger orders_db parked rebuild replica writer)
running=(browser canary doctor fail2ban metrics tracing units)
elsewhere=("${stores[@]}" "${running[@]}")
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM

declare -A parts
"$python" -m pytest "${stores[@]/#/tests/}" "$@" >"$said/the stores, the writer, audits and faults" 2>&1 &
parts["the stores, the writer, audits and faults"]=$!
"$python" -m pytest "${running[@]/#/tests/}" "$@" >"$said/units, doctor, modes, browsers, and what is told" 2>&1 &
parts["units, doctor, modes, browsers, and what is told"]=$!
"$python" contrib/stack/pytest_gevent.py -m gevent_too "$@" >"$said/under gevent" 2>&1 &
parts["under gevent"]=$!
"$python" -m pytest "${elsewhere[@]/#/--ignore=tests/}" "$@"
codes=($?)
for part in "${!parts[@]}"; do
    wait "${parts[$part]}"
    codes+=($?)
    echo "── $part"
    cat "$said/$part"
done

# 5 is "no test was picked": fine for some of the four when arguments pick, not for all.
picked=5
for code in "${codes[@]}"; do
    case "$code" in
        0) picked=0 ;;
        5) ;;
        *) exit "$code" ;;
    esac
done
exit "$picked"
