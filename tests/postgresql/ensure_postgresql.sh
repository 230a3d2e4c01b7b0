#!/usr/bin/env bash
# The same tests on PostgreSQL need Debian's server; they start one of their own and stop it again.
set -u
have() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1; }
have && exit 0
say() {
	echo "The tests on PostgreSQL need its server, and this script $1." >&2
	echo "Please install it yourself:  apt-get install --no-install-recommends postgresql" >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 || say "finds no apt-get here"
apt=(apt-get)
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || say "may not use apt-get (neither root nor sudo without a password)"
	apt=(sudo -n apt-get)
fi
echo "Installing postgresql ..."
export DEBIAN_FRONTEND=noninteractive
"${apt[@]}" update -qq >/dev/null 2>&1
# Its own cluster, which Debian would make and start, is not wanted.
"${apt[@]}" install -y -qq --no-install-recommends -o DPkg::Post-Invoke::=/bin/true postgresql >/dev/null 2>&1
have || say "could not install it with apt-get"
