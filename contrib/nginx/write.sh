#!/usr/bin/env bash
# Writes the examples in this folder anew: what `seckill-sidecar nginx` makes of conf/seckill.yaml, and of the
# YAML in each folder beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command=${1:-.venv/bin/seckill-sidecar}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The configuration says nothing of them, but a YAML is read whole or not at all.
export SECKILL_BROKER_PASSWORD=none SECKILL_DATABASE_PASSWORD=none SECKILL_KEY=0123456789abcdef
# shellcheck disable=SC2016  # a variable of the YAML's
sed 's|file:/etc/seckill/key|${SECKILL_KEY}|' conf/seckill.yaml >"$folder/seckill.yaml"
"$command" nginx -c "$folder/seckill.yaml" --output contrib/nginx
for shop in php-shop njs; do
    "$command" nginx -c "contrib/nginx/$shop/seckill.yaml" --output "contrib/nginx/$shop"
done
