#!/bin/sh
# What Qt and a virtual screen need from the system. Installs it as root on Debian, prints the
# one command otherwise. Elsewhere than on Linux there is nothing to do.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
command -v dpkg-query >/dev/null 2>&1 || exit 0 # not Debian or one of its children

missing=
for package in ${1:-xvfb xauth libqt6gui6 libxcb-cursor0}; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    # Ubuntu and Debian 13 carry libqt6gui6 under a longer name.
    if [ "$status" != installed ] && [ "$package" = libqt6gui6 ]; then
        status=$(dpkg-query -W -f '${db:Status-Status}' libqt6gui6t64 2>/dev/null || true)
    fi
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "installing system packages:$missing"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "the window needs system packages; please run this once:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y$missing" >&2
    exit 1
fi
