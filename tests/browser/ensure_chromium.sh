#!/usr/bin/env bash
# The browser tests drive Debian's Chromium; Chinese prompts in screenshots need a font that has the characters.
set -u
ensure=$(dirname "$0")/../ensure_debian.sh
"$ensure" chromium /usr/bin/chromium 'Driving a browser' || exit 1
fc-list 2>/dev/null | grep -qi 'cjk' && exit 0
"$ensure" fonts-noto-cjk /usr/share/fonts/opentype/noto 'Chinese in screenshots, else shown as boxes,' || exit 0
