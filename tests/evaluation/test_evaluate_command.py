"""`geocmer evaluate --store --panels` on a scene with land cover of its own: the pictures agree with the figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from geocmer_cli.main import main
from PIL import Image
from synthetic import noise, raster


@pytest.mark.usefixtures("one_encoder")
def test_the_panel_of_a_store_shows_what_its_figures_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = raster(tmp_path / "scene.tif", noise(3, 64, 96))
    codes = np.full((1, 64, 96), 1, "uint8")
    codes[:, :, 32:] = 2
    cover, legend = raster(tmp_path / "cover.tif", codes), tmp_path / "legend.csv"
    legend.write_text("code,label\n1,lake\n2,wood\n")

    def run(*args: object) -> str:
        monkeypatch.setattr(sys, "argv", ["geocmer", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        return capsys.readouterr().out

    store = tmp_path / "store"
    run("tile", scene, "--size", 32, "--landcover", cover, "--legend", legend, "--store", store)
    rows = [json.loads(line) for line in run("evaluate", "--store", store, "--panels", tmp_path / "out").splitlines()]
    assert [(row["category"], row["tiles"]) for row in rows] == [("wood", 4), ("lake", 2), ("mean of categories", 6)]
    page = np.asarray(Image.open(tmp_path / "out" / "store.jpg").convert("RGB")).astype(int)
    # Each row shows all six tiles, so that as many are framed green as the category has.
    for line, row in enumerate(rows[:2]):
        frames = [page[line * 148 + 6 + 22 + 1, column * 126 + 6 + 60] for column in range(6)]
        assert sum(green > red for red, green, _ in frames) == row["tiles"] == round(6 * row["p10"])
