#!/usr/bin/env bash
# A package of Debian that tests need: tests/ensure_debian.sh PACKAGE PROGRAM "What needs it". PROGRAM may be a pattern of paths.
# The tests start servers of their own and stop them again.
set -u
package=$1 program=$2 what=$3
have() { compgen -G "$program" >/dev/null || command -v "$(basename "$program")" >/dev/null 2>&1; }
have && exit 0
say() {
	echo "$what needs Debian's $package, and this script $1." >&2
	echo "Please install it yourself:  apt-get install --no-install-recommends $package" >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 || say "finds no apt-get here"
apt=(apt-get)
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || say "may not use apt-get (neither root nor sudo without a password)"
	apt=(sudo -n apt-get)
fi
echo "Installing $package ..."
export DEBIAN_FRONTEND=noninteractive
"${apt[@]}" update -qq >/dev/null 2>&1
"${apt[@]}" install -y -qq --no-install-recommends "$package" >/dev/null 2>&1
have || say "could not install it with apt-get"
