#!/usr/bin/env bash
# Makes .venv and sees that what the targets of the Makefile need is there.
#
#   scripts/setup.sh run    the daemon, with a store of its own
#   scripts/setup.sh dev    the linters and the type checker, too
#   scripts/setup.sh test   the servers that the tests run against, too
#   scripts/setup.sh bench  Redis and what makes the load of the benchmarks
#
# As root on Debian it installs what is missing; otherwise it says what to install and ends with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:?usage: scripts/setup.sh run|dev|test|bench}
case $level in
run) extras=embedded ;;
dev | test | bench) extras=embedded,dev ;;
*)
	echo "scripts/setup.sh: $level is none of run, dev, test, bench" >&2
	exit 2
	;;
esac

updated=
install() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "missing: $*. Install it, or run this as root on Debian, and try again." >&2
		exit 1
	fi
	if [ -z "$updated" ]; then
		apt-get update -q >&2
		updated=yes
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# A Python of 3.11 or newer that can make virtual environments with pip in them.
usable() {
	"$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}
find_python() {
	local candidate
	for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
		if [ -n "$candidate" ] && command -v "$candidate" >/dev/null && usable "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
	return 1
}

make_venv() {
	local python
	if ! python=$(find_python); then
		install python3 python3-venv
		python=$(find_python) || {
			echo "no Python of 3.11 or newer was found: install one, or name it: make PYTHON=/path/to/python3" >&2
			exit 1
		}
	fi
	"$python" -m venv --clear .venv
}

.venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv

# What .venv holds: the extras that were installed, for this very pyproject.toml in this very place.
wanted="$(cksum <pyproject.toml) $PWD"
stamp=.venv/installed
if ! grep -qxF "$extras $wanted" "$stamp" 2>/dev/null && ! grep -qxF "embedded,dev $wanted" "$stamp" 2>/dev/null; then
	echo "installing remediator[$extras] into .venv" >&2
	.venv/bin/python -m pip install -q --disable-pip-version-check -e ".[$extras]" >&2
	echo "$extras $wanted" >"$stamp"
fi

# What has to be on the machine: the program, and where it differs the package of Debian that brings it.
case $level in
test) programs=(redis-server prometheus prometheus-alertmanager curl kubectl=kubernetes-client) ;;
bench) programs=(redis-server wrk) ;;
*) programs=() ;;
esac
missing=()
for program in "${programs[@]}"; do
	command -v "${program%%=*}" >/dev/null || missing+=("${program#*=}")
done
if [ ${#missing[@]} != 0 ]; then install "${missing[@]}"; fi
