"""A model for other programs: its checkpoints, ONNX, what it is, and a script that uses it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_active_seg.export.data_card import as_json, write_checksums
from napari_active_seg.export.staging import build_folder

__all__ = ["EXAMPLE", "write_model"]

EXAMPLE = '''"""python predict.py IMAGE [--out MASK.png or FOLDER]: numpy, pillow, onnxruntime."""
import argparse, json, pathlib, numpy as np, onnxruntime
from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")  # no other decoder sees the file
parser = argparse.ArgumentParser(description="Write the classes of IMAGE as a mask.")
parser.add_argument("image", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path, help="a .png file, or a folder for IMAGE.mask.png")
arguments = parser.parse_args()
out = arguments.image.parent if arguments.out is None else arguments.out
if out.suffix.lower() != ".png" or out.is_dir():
    out = out / f"{arguments.image.name}.mask.png"
facts = json.loads((here := pathlib.Path(__file__).parent).joinpath("model.json").read_bytes())
image = Image.open(arguments.image, formats=FORMATS).convert("RGB")
image = np.asarray(image, np.float32) / 255
rows, columns = (-length % facts["input_multiple"] for length in image.shape[:2])
padded = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge").transpose(2, 0, 1)[None]
model = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])
probabilities = model.run(None, {"images": padded})[0][0, :, : image.shape[0], : image.shape[1]]
out.parent.mkdir(parents=True, exist_ok=True)
Image.fromarray(probabilities.argmax(0).astype(np.uint8)).save(out, "PNG")
print(out)
'''

_README = """# {name}

`model.onnx` takes `images` (1, 3, H, W), float32 from 0 to 1, red green blue, and gives
`probabilities` (1, C, H, W) for the classes in `model.json`. H and W are multiples of
{multiple}: pad at the bottom and right with the last row and column, as `predict.py` does. It is
a plain pass: no dropout, no calibration, so its probabilities are not those of Monte-Carlo
dropout, and uncertainty maps are made by napari-active-seg alone.

`*.safetensors` are the checkpoints that napari-active-seg reads; their headers record how they were
trained. `model.json` records on how many labels, and how well it did on the validation images of
its project. `python predict.py IMAGE --out MASK.png` (or a folder, which is made) writes
there; without `--out` the mask goes next to the image. Images should look as those did, with the
same size of a pixel.

Research use; not a diagnosis.
"""


def write_model(
    out: Path,
    *,
    checkpoints: Sequence[Path],
    write_onnx: Callable[[Path], int],
    facts: Mapping[str, Any],
    overwrite: bool = False,
) -> None:
    """Write a folder with everything that another program needs; whole or not at all."""
    with build_folder(out, request=as_json(facts), overwrite=overwrite) as folder:
        multiple: list[int] = []
        (folder.path / "model.onnx").unlink(missing_ok=True)
        folder.once("model.onnx", lambda path: multiple.append(write_onnx(path)))
        for checkpoint in checkpoints:
            shutil.copyfile(checkpoint, folder.path / checkpoint.name)
        own = {"made_by": "napari-active-seg", **facts, "input_multiple": multiple[0]}
        folder.text("model.json", as_json(own))
        folder.text("predict.py", EXAMPLE)
        folder.text("README.md", _README.format(name=facts["name"], multiple=multiple[0]))
        write_checksums(folder.path)
