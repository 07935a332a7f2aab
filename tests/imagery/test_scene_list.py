"""What names mean: files, folders, globs, lists, STAC documents and tables of scenes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest
import shapely
import stac_geoparquet
from servers import RangeServer, range_server

from geocmer.errors import InputError
from geocmer.imagery.scene_list import ListOptions, find_scenes

JUNE = datetime(2024, 6, 1, 10, 30, 5, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with range_server(tmp_path) as state:
        yield state


def names(found: list[Any], folder: Path | str) -> list[str]:
    return [str(source).removeprefix(f"{folder}/") for source in found]


def item(name: str, href: str, cloud: float | None = 12.5, **assets: dict[str, Any]) -> pystac.Item:
    properties = {} if cloud is None else {"eo:cloud_cover": cloud}
    made = pystac.Item(name, shapely.box(0, 0, 1, 1).__geo_interface__, [0, 0, 1, 1], JUNE, properties)
    made.add_asset("visual", pystac.Asset(href, media_type=pystac.MediaType.COG, roles=["visual"]))
    for key, more in assets.items():
        made.add_asset(key, pystac.Asset(**more))
    return made


def test_folders_globs_and_files_in_their_order(tmp_path: Path) -> None:
    for name in ("b.tif", "a.TIFF", "c.jp2", "m.vrt", "a.tif.ovr", "x.txt", ".hidden.tif", "sub/d.tif", "sub/[1].tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(find_scenes([tmp_path]), tmp_path) == ["a.TIFF", "b.tif", "c.jp2", "sub/[1].tif", "sub/d.tif"]
    assert names(find_scenes([f"{tmp_path}/*.tif"]), tmp_path) == ["b.tif"]
    assert names(find_scenes([f"{tmp_path}/**/*.tif"]), tmp_path) == ["b.tif", "sub/[1].tif", "sub/d.tif"]
    assert names(find_scenes([f"{tmp_path}/sub/[1].tif"]), tmp_path) == ["sub/[1].tif"], "a file's own name counts"
    assert names(find_scenes([tmp_path / "m.vrt", tmp_path, tmp_path / "b.tif"]), tmp_path) == [
        "m.vrt", "a.TIFF", "b.tif", "c.jp2", "sub/[1].tif", "sub/d.tif",
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", f"{tmp_path}/*.png"):
        with pytest.raises(InputError, match="holds no scene"):
            find_scenes([nothing])


def test_a_list_names_scenes_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner.txt").write_bytes("\ufeffc.tif\r\n\r\n".encode())
    (tmp_path / "list").write_text("# two scenes\na.tif\n https://h/b.tif \n@inner.txt\n")
    assert names(find_scenes(["@list"]), tmp_path) == ["a.tif", "https://h/b.tif", "c.tif"]
    (tmp_path / "round.txt").write_text("@round.txt\n")
    with pytest.raises(InputError, match="list of lists"):
        find_scenes(["round.txt"])
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        find_scenes(["binary.txt"])


def test_a_list_from_a_server_names_no_file_of_this_computer(tmp_path: Path, server: RangeServer) -> None:
    (tmp_path / "list.txt").write_text("https://h/a.tif\n/etc/a.tif\n")
    with pytest.raises(InputError, match="--trust-sources"):
        find_scenes([f"{server.url}/list.txt"])
    found = find_scenes([f"{server.url}/list.txt"], ListOptions(trust_sources=True))
    assert names(found, "") == ["https://h/a.tif", "etc/a.tif"]


def test_a_stac_item_carries_time_and_clouds(tmp_path: Path, server: RangeServer) -> None:
    document = item("S2", "./S2.tif", red={"href": "B04.tif", "media_type": "image/tiff"}).to_dict()
    (tmp_path / "S2.json").write_text(json.dumps(document))
    for place in (tmp_path, server.url):
        (found,) = find_scenes([f"{place}/S2.json"])
        assert str(found) == f"{place}/S2.tif"
        assert found.datetime == JUNE
        assert found.item is not None
        assert (found.item.name, found.item.cloud_cover) == ("the STAC item S2", 12.5)
        (red,) = find_scenes([f"{place}/S2.json"], ListOptions(asset="red"))
        assert str(red) == f"{place}/B04.tif"
        with pytest.raises(InputError, match="visual, red"):
            find_scenes([f"{place}/S2.json"], ListOptions(asset="blue"))
    document["assets"]["visual"]["href"] = "file:///etc/a.tif"
    (tmp_path / "S2.json").write_text(json.dumps(document))
    assert names(find_scenes([f"{tmp_path}/S2.json"]), "") == ["etc/a.tif"]
    with pytest.raises(InputError, match="--trust-sources"):
        find_scenes([f"{server.url}/S2.json"])


@pytest.mark.parametrize(
    ("assets", "chosen"),
    [
        ({"data": {"type": "image/tiff; application=geotiff"}, "thumb": {"type": "image/png"}}, "data"),
        ({"a": {"type": "image/tiff", "roles": ["visual"]}, "b": {"type": "image/tiff", "roles": ["data"]}}, "a"),
        ({"a": {"type": "image/tiff", "roles": ["data"]}, "b": {"type": "image/tiff", "roles": ["thumbnail"]}}, "a"),
        ({"a": {"type": "image/tiff"}, "b": {"type": "image/tiff"}}, None),
        ({}, None),
    ],
)
def test_without_visual_the_only_picture_is_taken(tmp_path: Path, assets: dict[str, Any], chosen: str | None) -> None:
    document = item("x", "x.tif").to_dict()
    document["assets"] = {name: {"href": f"{name}.tif", **more} for name, more in assets.items()}
    (tmp_path / "x.json").write_text(json.dumps(document))
    if chosen is None:
        with pytest.raises(InputError, match="choose one with --asset"):
            find_scenes([tmp_path / "x.json"])
    else:
        assert names(find_scenes([tmp_path / "x.json"]), tmp_path) == [f"{chosen}.tif"]


def test_a_saved_catalog_is_walked_as_pystac_does(tmp_path: Path, server: RangeServer) -> None:
    collection = pystac.Collection("scenes", "of a test", pystac.Extent.from_items([item("a", "a.tif")]))
    child = pystac.Catalog("year", "of a test")
    collection.add_child(child)
    for name in ("a", "b"):
        collection.add_item(item(name, f"https://h/{name}.tif"))
    child.add_item(item("c", "https://h/c.tif"))
    collection.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    saved = pystac.Collection.from_file(str(tmp_path / "collection.json"))
    expected = {i.assets["visual"].href for i in saved.get_items(recursive=True)}
    for place in (tmp_path, server.url):
        found = find_scenes([f"{place}/collection.json"])
        assert {str(source) for source in found} == expected
        assert {s.item.name for s in found if s.item} == {
            "the STAC item a of scenes", "the STAC item b of scenes", "the STAC item c",
        }  # fmt: skip


def test_the_pages_of_a_search_and_too_many_clouds(tmp_path: Path, server: RangeServer) -> None:
    pages = [[item("a", "https://h/a.tif", 5), item("b", "https://h/b.tif", 80)], [item("c", "https://h/c.tif", None)]]
    (tmp_path / "search").write_text(
        json.dumps({
            "type": "FeatureCollection", "features": [i.to_dict() for i in pages[0]],
            "links": [{"rel": "next", "href": f"{server.url}/page2.json"}, {"rel": "self", "href": "search"}],
        })
    )  # fmt: skip
    circle = [{"rel": "next", "href": f"{server.url}/search"}]
    (tmp_path / "page2.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": [i.to_dict() for i in pages[1]], "links": circle})
    )
    search = f"{server.url}/search?bbox=0,0,1,1&limit=2"
    assert {str(s)[-5:] for s in find_scenes([search])} == {"a.tif", "b.tif", "c.tif"}
    assert {str(s)[-5:] for s in find_scenes([search], ListOptions(max_cloud=20))} == {"a.tif", "c.tif"}
    (tmp_path / "only.json").write_text(json.dumps(pages[0][1].to_dict()))
    with pytest.raises(InputError, match="raise --max-cloud"):
        find_scenes([tmp_path / "only.json"], ListOptions(max_cloud=20))


@pytest.mark.parametrize("text", ["[", "[1]", "{}", '{"type": "FeatureCollection", "features": [1]}', '{"a":' * 100_000,
                                  '{"type": "Feature", "stac_version": "1.0.0", "id": 3}'])  # fmt: skip
def test_what_is_no_stac_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as caught:
        find_scenes([tmp_path / "x.json"])
    assert "\n" not in str(caught.value)


def test_a_table_of_stac_items_means_what_the_items_mean(tmp_path: Path, server: RangeServer) -> None:
    items = [item(f"i{n}", f"https://h/{n}.tif", n * 10) for n in range(5)]
    table = stac_geoparquet.arrow.parse_stac_items_to_arrow([i.to_dict() for i in items]).read_all()
    stac_geoparquet.arrow.to_parquet(table, tmp_path / "items.parquet")
    for place in (tmp_path, server.url):
        found = find_scenes([f"{place}/items.parquet"])
        assert [str(source) for source in found] == [f"https://h/{n}.tif" for n in range(5)]
        assert [source.item.cloud_cover for source in found if source.item] == [0, 10, 20, 30, 40]
        assert {source.datetime for source in found} == {JUNE}


def test_a_table_of_names(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"location": ["a.tif", "https://h/b.tif"], "datetime": [JUNE, None], "cloud_cover": [3.0, None]},
        geometry=[shapely.box(0, 0, 1, 1)] * 2, crs=4326,
    )  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    first, second = find_scenes([tmp_path / "t.parquet"])
    assert (str(first), str(second)) == (str(tmp_path / "a.tif"), "https://h/b.tif")
    assert (first.datetime, second.datetime) == (JUNE, None)
    assert first.item is not None
    assert first.item.cloud_cover == 3
    pq.write_table(pa.table({"x": [1]}), tmp_path / "bad.parquet")
    with pytest.raises(InputError, match="its columns: x"):
        find_scenes([tmp_path / "bad.parquet"])
    pq.write_table(pa.table({"path": ["a.tif", None]}), tmp_path / "null.parquet")
    with pytest.raises(InputError, match="row 1"):
        find_scenes([tmp_path / "null.parquet"])
    (tmp_path / "no.parquet").write_text("no")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        find_scenes([tmp_path / "no.parquet"])
