#!/usr/bin/env bash
# Makes a Python virtual environment: venv.sh PYTHON FOLDER. Does nothing if it is there and works.
#
# Debian keeps what `python3 -m venv` needs in a package of its own; as root this installs it, else it says how.
set -euo pipefail

python=$1 folder=$2

say() { echo "venv: $*" >&2; }
die() { say "$*"; exit 1; }

works() { "$folder/bin/python" -m pip --version >/dev/null 2>&1; }

require_version() {
    command -v "$python" >/dev/null || die "$python is not there; install Python 3.11 or later, or say PYTHON=/its/path"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$("$python" --version) is too old: this needs 3.11 or later; say which one with PYTHON=/its/path"
}

require_ensurepip() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    local package
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "$python can't make virtual environments; as root: apt-get install $package"
    fi
    say "installing $package"
    apt update
    apt install --yes --no-install-recommends "$package"
}

# Prints what apt-get says only if it fails.
apt() {
    local said
    said=$(DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" 2>&1) ||
        die "apt-get $* failed:"$'\n'"$said"
}

if ! works; then
    require_version
    require_ensurepip
    "$python" -m venv --clear "$folder" >&2
fi
