"""Thumbnails on a terminal, read back from what the terminal is sent."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys

import pytest
from geocmer_cli import preview
from geocmer_cli.preview import print_previews
from hits import hit
from PIL import Image
from rich.console import Console
from textual_image.renderable import HalfcellImage, SixelImage, TGPImage

from geocmer.search.results import Hit

COLOURS = {1: (250, 10, 10), 2: (10, 250, 10), 3: (10, 10, 250)}


def hits() -> list[Hit]:
    found = []
    for rank, colour in COLOURS.items():
        file = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(file, "PNG")
        found.append(hit(rank, thumbnail=file.getvalue(), category="a [b]\x1b[31m"))
    return [*found, hit(4, thumbnail=None)]


def printed(width: int, picture: object, **options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system="truecolor", **options)  # type: ignore[arg-type]
    print_previews(hits(), console, picture)
    return out.getvalue()


@pytest.mark.parametrize(("width", "rows"), [(200, 1), (44, 2), (10, 4)])
def test_blocks_have_the_colours_of_the_thumbnails(width: int, rows: int) -> None:
    text = printed(width, HalfcellImage)
    for colour in COLOURS.values():
        assert text.count("8;2;" + ";".join(map(str, colour))) >= 20, "in the front and at the back of many blocks"
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    captions = [line for line in plain.splitlines() if re.match(r"\d\. 0\.\d{3}", line)]
    assert len(captions) == rows
    assert re.findall(r"(\d)\. (0\.\d+)", plain) == [(str(n), f"{0.5 - n / 100:.3f}") for n in range(1, 5)]
    assert "\x1b[31m" not in text
    assert "a [b]" in plain


@pytest.mark.parametrize(("picture", "start"), [(SixelImage, "\x1bP"), (TGPImage, "\U0010eeee")])
def test_pictures_go_to_terminals_that_show_them(picture: object, start: str) -> None:
    assert start in printed(100, picture)


def test_iterm_gets_every_pixel_as_an_image_in_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM_PROGRAM", "iTerm.app")
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback: os.terminal_size((100, 40)))
    text = printed(100, None)
    (found,) = re.findall(r"\x1b]1337;File=size=(\d+);width=86;height=auto;inline=1:([\w+/=]+)\x07\n", text)
    file = base64.b64decode(found[1])
    assert len(file) == int(found[0])
    with Image.open(io.BytesIO(file)) as strip:
        sides = [strip.getpixel((80 + 176 * at, 80)) for at in range(3)]
    assert sides == list(COLOURS.values())
    assert re.findall(r"(\d)\. 0\.\d+", text.split("\x07")[1]) == ["1", "2", "3", "4"], "the captions stand below"


def test_without_colours_nothing_is_drawn_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("TERM_PROGRAM", raising=False)
    monkeypatch.setattr("textual_image.renderable.Image", HalfcellImage)
    out = io.StringIO()
    print_previews(hits(), Console(file=out, force_terminal=True, width=80))
    assert out.getvalue() == ""
    assert "no previews" in capsys.readouterr().err


def test_of_many_hits_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system="truecolor")
    print_previews((hit(n, thumbnail=None) for n in range(1, 1000)), console, HalfcellImage)
    assert "60. " in out.getvalue()
    assert "61. " not in out.getvalue()
    assert "first 60 hits" in capsys.readouterr().err


def test_a_terminal_without_a_size_gets_a_line_and_no_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback: os.terminal_size((110, fallback[1])))
    print_previews(hits(), Console(file=io.StringIO(), force_terminal=True))
    assert "does not say how large it is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("says", "drawn"),
    [
        ({"TERM": "xterm-256color"}, HalfcellImage),
        ({"TERM": "xterm-kitty"}, TGPImage),
        ({"KITTY_WINDOW_ID": "1"}, TGPImage),
        ({"TERM_PROGRAM": "iTerm.app"}, preview.InlineImage),
        ({"TERM_PROGRAM": "WezTerm"}, SixelImage),
        ({"TERM": "foot-direct"}, SixelImage),
        ({"WT_SESSION": "x"}, SixelImage),
    ],
)
def test_a_terminal_is_known_by_what_it_says_of_itself(
    monkeypatch: pytest.MonkeyPatch, says: dict[str, str], drawn: object
) -> None:
    for name in ("TERM", "TERM_PROGRAM", "KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in says.items():
        monkeypatch.setenv(name, value)
    assert preview._image_class() is drawn


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_is_asked_nothing() -> None:
    """What a terminal gets before the first picture: no question, which some show as signs."""
    master, slave = os.openpty()
    code = "from geocmer_cli.preview import _image_class; _image_class()"
    subprocess.run([sys.executable, "-c", code], stdout=slave, stdin=slave, check=True, timeout=120)
    os.write(slave, b"end")
    got = os.read(master, 1000)
    os.close(master)
    os.close(slave)
    assert got == b"end"
