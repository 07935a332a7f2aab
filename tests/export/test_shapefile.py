"""What is special about shapefiles: short names and texts, several files, a limit of size."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pyogrio
import pytest
from hits import HITS, RIVER, hit

from geocmer.errors import InputError
from geocmer.export import write
from geocmer.export.formats import shapefile

PARTS = {"hits.shp", "hits.shx", "hits.dbf", "hits.prj", "hits.cpg"}


def test_a_set_of_files_side_by_side_or_in_one_archive(tmp_path: Path) -> None:
    write(HITS, tmp_path / "hits.shp")
    assert {path.name for path in tmp_path.iterdir()} == PARTS
    write(HITS, tmp_path / "hits.shp.zip")
    with zipfile.ZipFile(tmp_path / "hits.shp.zip") as archive:
        assert set(archive.namelist()) == PARTS
        assert archive.testzip() is None
        assert archive.read("hits.dbf") == (tmp_path / "hits.dbf").read_bytes()


def test_an_index_of_the_old_file_goes_with_it(tmp_path: Path) -> None:
    write(HITS, tmp_path / "hits.shp")
    for name in ("hits.qix", "hits.sbn", "other.qix"):
        (tmp_path / name).write_bytes(b"of the old file")
    write(HITS[:2], tmp_path / "hits.shp")
    assert {path.name for path in tmp_path.iterdir()} == {*PARTS, "other.qix"}
    assert len(pyogrio.read_dataframe(tmp_path / "hits.shp", bbox=HITS[1].geometry.bounds)) >= 1


def test_what_has_no_room_is_summed_up_and_said(tmp_path: Path) -> None:
    shares = {f"Überbauung der Klasse {n}": n / 300 for n in range(1, 25)}
    partners = [replace(RIVER, id=f"{n:032x}") for n in range(5)]
    write([hit(1, fractions=shares, partners=tuple(partners))], tmp_path / "hits.shp")
    (found,) = pyogrio.read_dataframe(tmp_path / "hits.shp").to_dict("records")
    assert max(len(found[name].encode()) for name in ("fractions", "partners")) <= 254
    written = json.loads(found["fractions"])
    rest = written.pop("…")
    assert list(written) == sorted(shares, key=lambda name: -shares[name])[: len(written)], "the largest"
    assert len(written) >= 3
    assert all(written[name] == shares[name] for name in written)
    assert rest + sum(written.values()) == pytest.approx(sum(shares.values()), abs=1e-6)
    first, *_, last = json.loads(found["partners"])
    assert (first["id"], last) == (partners[0].id, "…")


@pytest.mark.parametrize("length", [254, 255])
def test_a_text_that_would_be_cut_is_refused(tmp_path: Path, length: int) -> None:
    word = "ü" * (length // 2) + "x" * (length % 2)
    if length <= 254:
        write([hit(1, category=word)], tmp_path / "hits.shp")
        assert pyogrio.read_dataframe(tmp_path / "hits.shp")["category"].tolist() == [word]
    else:
        with pytest.raises(InputError, match=r"category takes 255 bytes and a shapefile holds 254.*write \.gpkg"):
            write([hit(1, category=word)], tmp_path / "hits.shp")
        assert list(tmp_path.iterdir()) == [], "no part of it is left"


def test_a_file_beyond_the_limit_is_refused_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(HITS[:1], tmp_path / "hits.shp")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(shapefile, "MAX_FILE_BYTES", 10_000)
    with pytest.raises(InputError, match=r"most that a shapefile can have; write \.gpkg"):
        write([replace(HITS[0], rank=rank) for rank in range(1, 4000)], tmp_path / "hits.shp")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        write(HITS, tmp_path / "hits.shp.zip", thumbnails=True)
    assert list(tmp_path.iterdir()) == []
