"""A page in one file: headings, tables, pictures. No script, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..._files import bundled_file, naming_write_errors, write_atomically

_BAR_PX = 320
"""Length of the longest bar."""


class Page:
    """Sections of HTML under a title.

    Args:
        title: of the page.
        lead: what it is about, in a line.
    """

    def __init__(self, title: str, lead: str) -> None:
        self._title, self._parts = title, [f"<h1>{html.escape(title)}</h1>", paragraph(lead)]

    def add(self, heading: str, *parts: str) -> None:
        """Add a section of parts that are HTML; what is empty is left out."""
        self._parts += [f"<section><h2>{html.escape(heading)}</h2>", *filter(None, parts), "</section>"]

    def render(self) -> str:
        """Return the page. Nothing on it may run or be fetched, whatever a name says."""
        css = bundled_file("report", "report.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self._title)}</title><style>{css}</style></head>"
            f"<body>{''.join(self._parts)}</body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all.

        Raises:
            InputError: it cannot be written there.
        """
        with naming_write_errors(path):
            write_atomically(path, self.render())


def paragraph(text: str) -> str:
    """Make a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[str | float | int | None]]) -> str:
    """Make a table of texts and numbers; numbers stand to the right."""
    lines = [list(row) for row in rows]
    numeric = [all(not isinstance(line[n], str) for line in lines) for n in range(len(header))]

    def cells(tag: str, values: Sequence[str | float | int | None]) -> str:
        return "".join(
            f"<{tag}{' class=number' if right else ''}>{_text(value)}</{tag}>"
            for value, right in zip(values, numeric, strict=True)
        )

    body = "".join(f"<tr>{cells('td', line)}</tr>" for line in lines)
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def figure(content: str, caption: str) -> str:
    """Put a caption of plain text under a picture, which is HTML."""
    return f"<figure>{content}<figcaption>{html.escape(caption)}</figcaption></figure>"


def image(content: bytes, kind: str, about: str) -> str:
    """Make a picture of a file's bytes; `kind` is png or jpeg, `about` what it shows, for who cannot see it."""
    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{html.escape(about)}">'


def bars(counts: Sequence[tuple[str, int]]) -> str:
    """Make a table of names and counts with a bar for each."""
    total, most = max(sum(count for _, count in counts), 1), max((count for _, count in counts), default=1)
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td class=number>{count:,}</td><td class=number>{count / total:.1%}</td>"
        f'<td><svg width="{_BAR_PX}" height="10" aria-hidden="true"><rect class="bar" height="10"'
        f' width="{_BAR_PX * count / most:.0f}"/></svg></td></tr>'
        for name, count in counts
    )
    return f'<div class="scroll"><table>{rows}</table></div>'


def _text(value: str | float | int | None) -> str:
    if value is None:
        return "-"
    return (
        html.escape(value) if isinstance(value, str) else f"{value:,.3g}" if isinstance(value, float) else f"{value:,}"
    )
