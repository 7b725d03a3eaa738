#!/usr/bin/env bash
# Installs what the private servers of this folder run on, from Debian's packages: Redis, RabbitMQ, MariaDB, nginx,
# Prometheus; systemd, whose analysis the units are held against; and fail2ban, which tests its filter.
# With the argument "wrk" also that load generator, for the benchmarks; for the tests with "njs" nginx's JavaScript, with
# "hostile" what attacks (the lists of wfuzz and sqlmap, slowhttptest) and PHP, for which there is a check of our signature; with
# "chromium" that browser, and a font that has Chinese.
#
# Installs only what is missing, and leaves every service as it was: nothing is started, stopped, removed, or set to
# start at boot. Needs root or sudo, and those only if something is missing. Says what it does on standard error.
set -euo pipefail

policy=/usr/sbin/policy-rc.d

# One line a file: what must be there, and the packages that bring it (the first that the release knows is taken).
wanted="\
/usr/bin/redis-server                    redis-server
/usr/lib/rabbitmq/bin/rabbitmq-server    rabbitmq-server
/usr/sbin/mariadbd                       mariadb-server-core
/usr/bin/mariadb                         mariadb-client-core
/usr/sbin/nginx                          nginx-light nginx
/usr/bin/prometheus                      prometheus
/usr/bin/systemd-analyze                 systemd
/usr/bin/fail2ban-regex                  fail2ban"

# What the packages would otherwise set to start at boot.
services="redis-server rabbitmq-server epmd.socket nginx prometheus fail2ban"

say() { echo "stack: $*" >&2; }
die() { say "$*"; exit 1; }

missing() {
    while read -r file packages; do
        [ -e "$file" ] || echo "$packages"
    done <<<"$wanted"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Prints what apt-get says only if it fails.
apt() {
    local said
    said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" 2>&1) ||
        die "apt-get $* failed:"$'\n'"$said"
}

first_known() {
    local package
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            echo "$package"
            return
        fi
    done
    die "none of these packages is known to apt: $*"
}

# Packages ask this script before they start a service; 101 is "no". One that is there already stays, whatever it says.
forbid_starting() {
    [ ! -e "$policy" ] || return 0
    trap allow_starting EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_starting() { as_root rm -f "$policy"; }

enabled() {
    local service
    for service in $services; do
        if systemctl is-enabled --quiet "$service" 2>/dev/null; then echo "$service"; fi
    done
}

# Only those that were not enabled before: a server that this machine already runs is none of our business.
keep_off_at_boot() {
    local before=$1 service
    for service in $(enabled); do
        grep -qx "$service" <<<"$before" || as_root systemctl --quiet disable "$service" >&2
    done
}

install_missing() {
    local packages=() line before
    say "missing: $(missing | tr '\n' ' ')(apt-get, may take a minute)"
    apt update
    while read -r line; do
        # shellcheck disable=SC2086  # the words of a line are alternatives
        packages+=("$(first_known $line)")
    done < <(missing)
    before=$(enabled)
    forbid_starting
    # --no-remove: where MySQL is installed, MariaDB would replace it.
    apt install --yes --no-install-recommends --no-remove "${packages[@]}"
    keep_off_at_boot "$before"
}

main() {
    local what
    for what in "$@"; do
        case "$what" in
        wrk) wanted+=$'\n/usr/bin/wrk wrk' ;;
        njs) wanted+=$'\n/usr/lib/nginx/modules/ngx_http_js_module.so libnginx-mod-http-js' ;;
        hostile)
            wanted+=$'\n/usr/share/wfuzz/wordlist wfuzz'
            wanted+=$'\n/usr/share/sqlmap/data/xml/payloads sqlmap'
            wanted+=$'\n/usr/bin/slowhttptest slowhttptest'
            wanted+=$'\n/usr/bin/php php-cli'
            ;;
        chromium)
            wanted+=$'\n/usr/bin/chromium chromium'
            wanted+=$'\n/usr/share/fonts/truetype/wqy/wqy-microhei.ttc fonts-wqy-microhei'
            ;;
        esac
    done
    [ -n "$(missing)" ] || return 0
    command -v apt-get >/dev/null ||
        die "this needs apt-get (Debian, Ubuntu). Install by hand what is missing: $(missing | tr '\n' ' ')"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "this needs root or sudo. Ask an administrator to run: $0"
    fi
    install_missing
    [ -z "$(missing)" ] || die "still missing after the installation: $(missing | tr '\n' ' ')"
}

main "$@"
