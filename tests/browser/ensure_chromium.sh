#!/usr/bin/env bash
# The browser tests drive Debian's Chromium; Chinese prompts in screenshots need a font that has the characters.
set -u
have() { command -v chromium >/dev/null 2>&1 || [ -x /usr/bin/chromium ]; }
fonts() { [ -d /usr/share/fonts/opentype/noto ] || fc-list 2>/dev/null | grep -qi 'cjk'; }
have && fonts && exit 0
wanted="chromium fonts-noto-cjk"
say() {
	have && echo "Chinese in screenshots may show as boxes: no font for it, and this script $1." >&2 && exit 0
	echo "The browser tests need Chromium and a font with Chinese characters, and this script $1." >&2
	echo "Please install them yourself:  apt-get install --no-install-recommends $wanted" >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 || say "finds no apt-get here"
apt=(apt-get)
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || say "may not use apt-get (neither root nor sudo without a password)"
	apt=(sudo -n apt-get)
fi
echo "Installing $wanted ..."
export DEBIAN_FRONTEND=noninteractive
"${apt[@]}" update -qq >/dev/null 2>&1
"${apt[@]}" install -y -qq --no-install-recommends $wanted >/dev/null 2>&1
have || say "could not install them with apt-get"
