"""Make the pictures of the README and the docs by running the demo: real windows, no drawings."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = {
    "1-proposed": "proposed",
    "2-painting": "painting",
    "3-trained": "trained",
    "keys": "keys",
    "label-here": "label-here",
    "tab-annotate-light": "annotate-light",
    "tab-export": "tab-export",
    "tab-project": "tab-project",
    "tab-propose": "proposing",
    "tab-train": "training",
    "tab-trust": "trust",
}


def main() -> int:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        made = Path(work) / "demo"
        command = [sys.executable, "-m", "napari_active_seg", "demo", "--headless"]
        subprocess.run([*command, "--out", str(made)], check=True)
        for source, name in PICTURES.items():
            picture = Image.open(made / "screenshots" / f"{source}.png").convert("RGB")
            picture.save(out / f"{name}.jpg", quality=88, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
