#!/bin/sh
# Run the tests of napari's menus with the oldest and the newest napari that we support.
#
#   sh scripts/check_napari_versions.sh [python]
#
# Each version gets an environment of its own below .venv-napari/. It borrows all other packages
# from the environment of the given python, so that it takes little room and time.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}

released=$("$python" -m pip index versions napari 2>/dev/null |
    sed -n 's/^Available versions: //p' | tr -d ' ' | tr ',' '\n')
bound=$(sed -n 's/^    "napari>=\([0-9.]*\)",$/\1/p' pyproject.toml)
newest=$(echo "$released" | head -n 1)
oldest=$(echo "$released" | grep "^$bound\(\.\|\$\)" | tail -n 1)
if [ -z "$newest" ] || [ -z "$oldest" ]; then
    echo "no napari >= $bound was found: can pip reach a package index?" >&2
    exit 1
fi
borrowed=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "oldest napari: $oldest, newest napari: $newest"

for version in $(printf '%s\n' "$oldest" "$newest" | uniq); do
    folder=.venv-napari/$version
    if [ ! -x "$folder/bin/python" ]; then
        "$python" -m venv "$folder"
        own=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        echo "$borrowed" >"$own/borrowed.pth"
    fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "napari==$version"
    echo "== napari $("$folder/bin/python" -c 'import napari; print(napari.__version__)')"
    OMP_NUM_THREADS=1 PYTHONPATH=. "$folder/bin/python" -m pytest tests/gui/test_menus.py
done
