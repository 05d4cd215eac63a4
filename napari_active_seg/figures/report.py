"""A report as one HTML file without outside links, readable on paper too, and as Markdown."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Report", "figure_png", "image_jpeg", "image_png"]

_FIGURES = "figures"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 62rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { margin-top: 2.2rem; font-size: 1.2rem }
p.lead { color: #555; margin-top: 0 }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top } td.n { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: .8rem 0; display: inline-block; vertical-align: top } img { max-width: 100% }
figcaption { color: #555; font-size: .9rem; max-width: 38rem }
@media print { body { font-size: 10.5pt; max-width: none; margin: 0 } a { color: inherit }
  h2 { break-after: avoid } figure, tr { break-inside: avoid } img { max-height: 22cm } }
"""


class Report:
    """Collects headings, words, tables, charts and pictures.

    As Markdown it has no pictures, which may show a person; charts are files next to it.
    """

    def __init__(self, title: str, lead: str) -> None:
        self._title = title
        self._pictures: list[tuple[str, bytes]] = []
        self._parts = [f"<h1>{html.escape(title)}</h1><p class=lead>{html.escape(lead)}</p>"]
        self._markdown = [f"# {_plain(title)}", _plain(lead)]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")
        self._markdown.append(f"## {_plain(text)}")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain words."""
        self._parts.append(f"<p>{html.escape(text)}</p>")
        self._markdown.append(_plain(text))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; numbers are set to the right and floats get three digits."""
        top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
        self._parts.append(f"<table><tr>{top}</tr>{body}</table>")
        lines = (head, ["---"] * len(head), *rows)
        self._markdown.append("\n".join(_row(cells) for cells in lines))

    def facts(self, facts: Mapping[str, object]) -> None:
        """Add a table of names and values."""
        rows = "".join(f"<tr><th>{html.escape(k)}</th>{_cell(v)}</tr>" for k, v in facts.items())
        self._parts.append(f"<table>{rows}</table>")
        lines = [("", ""), ("---", "---"), *facts.items()]
        self._markdown.append("\n".join(_row(cells) for cells in lines))

    def picture(self, encoded: bytes, caption: str, *, width: int | None = None) -> None:
        """Add a PNG or JPEG with what it shows; the caption is its text for screen readers too."""
        self._pictures.append((caption, encoded))
        kind = _kind_of(encoded)
        data = base64.b64encode(encoded).decode("ascii")
        size = f' width="{width}"' if width else ""
        words = html.escape(caption)
        self._parts.append(
            f'<figure><img{size} alt="{words}" src="data:image/{kind};base64,{data}">'
            f"<figcaption>{words}</figcaption></figure>"
        )

    def chart(
        self, figure: Figure, caption: str, *, width: int | None = None, dpi: int = 110
    ) -> None:
        """Add a matplotlib figure, which shows numbers and nobody's image."""
        self.picture(figure_png(figure, dpi=dpi), caption, width=width)
        name = _file_name(len(self._pictures), *self._pictures[-1])
        self._markdown.append(f"![{_plain(caption)}]({_FIGURES}/{name})")

    def write_all(self, folder: Path) -> None:
        """Write report.html, report.md, and figures/ with every picture as a file."""
        self.write(folder / "report.html")
        (folder / "report.md").write_text("\n\n".join(self._markdown) + "\n", encoding="utf-8")
        figures = folder / _FIGURES
        figures.mkdir(parents=True, exist_ok=True)
        for old in (*figures.glob("*.png"), *figures.glob("*.jpeg")):
            old.unlink()
        for number, (caption, encoded) in enumerate(self._pictures, 1):
            (figures / _file_name(number, caption, encoded)).write_bytes(encoded)

    def _repr_html_(self) -> str:
        """Return the page's contents for a notebook."""
        return f"<div>{''.join(self._parts)}</div>"

    def write(self, path: Path) -> None:
        """Write the page."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self._title)}</title><style>{_STYLE}</style></head><body>"
            f"{''.join(self._parts)}</body></html>\n"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")


def _cell(value: object) -> str:
    kind = " class=n" if isinstance(value, int | float) else ""
    return f"<td{kind}>{html.escape(_words(value))}</td>"


def _row(cells: Iterable[object]) -> str:
    """Return a line of a table in Markdown."""
    return f"| {' | '.join(_plain(_words(cell)).replace('|', '&#124;') for cell in cells)} |"


def _words(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(text: str) -> str:
    """Return text that means the same in Markdown."""
    return re.sub(r"([\\`*_\[\]<])", r"\\\1", text)


def _file_name(number: int, caption: str, encoded: bytes) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60]
    return f"{number:02d}-{words}.{_kind_of(encoded)}"


def figure_png(figure: Figure, *, dpi: int = 110) -> bytes:
    """Return a matplotlib figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def image_png(image: NDArray[np.uint8]) -> bytes:
    """Return an (H, W, 3) uint8 picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    return buffer.getvalue()


def image_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Return an (H, W, 3) uint8 picture as JPEG: a tenth of the bytes, for viewing alone."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="jpeg", quality=85)
    return buffer.getvalue()


def _kind_of(encoded: bytes) -> str:
    return "jpeg" if encoded.startswith(b"\xff\xd8") else "png"
