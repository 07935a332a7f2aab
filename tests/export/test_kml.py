"""What is special about KML: its schema, times, descriptions, and what XML cannot hold."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pyogrio
import pytest
from fastkml.validator import validate
from hits import HITS, MOMENT, hit
from synthetic import NASTY

from geocmer.export import write

KML = "{http://www.opengis.net/kml/2.2}"


@pytest.mark.parametrize("thumbnails", [False, True])
def test_it_meets_the_schema(tmp_path: Path, thumbnails: bool) -> None:
    write(
        [*HITS, hit(9, thumbnail=b"\xff\xd8\xff")], tmp_path / "hits.kml", title="lake & <wood>", thumbnails=thumbnails
    )
    assert validate(file_to_validate=tmp_path / "hits.kml")
    root = ElementTree.parse(tmp_path / "hits.kml").getroot()
    assert root.findtext(f"{KML}Document/{KML}name") == "lake & <wood>"


def test_times_and_descriptions_are_read_by_others(tmp_path: Path) -> None:
    write([HITS[0], HITS[-1]], tmp_path / "hits.kml")
    frame = pyogrio.read_dataframe(tmp_path / "hits.kml")
    tiles = frame[frame["partners"].notna()]
    assert tiles["timestamp"].dropna().tolist() == [MOMENT]
    first, last = tiles["description"]
    assert "2020-05-01" in first
    assert "<td>75%</td>" in first
    assert "1235 m" in first
    assert "datetime" not in last
    assert "<scr" not in first


@pytest.mark.parametrize("evil", [*NASTY, "a\x00b\x1f\ufffe", "</description><script>", "]]>", "\ud800"])
def test_any_text_makes_a_file_that_can_be_read(tmp_path: Path, evil: str) -> None:
    write([hit(1, category=evil)], tmp_path / "hits.kml", title=evil)
    root = ElementTree.parse(tmp_path / "hits.kml").getroot()
    (placemark,) = root.iter(f"{KML}Placemark")
    data = {leaf.get("name"): leaf.text or "" for leaf in placemark.iter(f"{KML}SimpleData")}
    assert data["category"] == "".join("\ufffd" if sign in "\x00\x1f\ufffe\ud800" else sign for sign in evil)
    assert "<script" not in (placemark.findtext(f"{KML}description") or "")
