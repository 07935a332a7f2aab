"""Which bands of a raster are shown as red, green and blue, and how their values become colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pyproj import CRS
from rasterio.enums import ColorInterp

from ..errors import InputError
from .address import SceneAddress
from .sensor import SENSORS, sensor_of

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_CMYK = (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)
_YCBCR = (ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr)
_ELEVATION_NAME = re.compile(
    r"(?:^|[^a-z])(?:dem|dsm|dtm|srtm|elevation|altitude|bathymetry|heights?)(?:[^a-z]|$)", re.I
)
_LENGTHS = {"m", "metre", "metres", "meter", "meters", "ft", "foot", "feet", "us survey foot"}
_POLARISATION = re.compile(r"(?:^|[^a-z])(?:vv|vh|hh|hv|sigma0|gamma0|beta0)(?:[^a-z]|$)", re.I)
_OTHER_COLOURS = {"edge", "infra", "infrared", "coastal", "near", "nir", "re", "rededge"}


class Rendering(StrEnum):
    """How values become red, green and blue."""

    LINEAR = "linear"
    PALETTE = "palette"
    INVERTED = "inverted"
    """MINISWHITE: the least value is white."""
    CMYK = "cmyk"
    YCBCR = "ycbcr"
    DECIBEL = "decibel"
    """Radar backscatter, on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class BandChoice:
    """The bands of a scene.

    Attributes:
        bands: red, green and blue, counted from 1; a single band stands for all three.
        read: the bands to read for them, each once.
        rendering: how their values become colours.
        alpha: the bands that say which pixels are valid.
        note: how the bands were chosen.
    """

    bands: tuple[int, ...]
    read: tuple[int, ...]
    rendering: Rendering
    alpha: tuple[int, ...]
    note: str


def choose_bands(path: SceneAddress, dataset: Any, requested: tuple[int, ...] | None = None) -> BandChoice:
    """Choose the bands of an open raster: those requested, else by its colours, names, sensor or order.

    Args:
        path: for messages, and for the sensor in its name.
        dataset: open with rasterio.
        requested: red, green and blue, counted from 1.

    Raises:
        InputError: a requested band is not there, or the raster is an elevation model or has no band to show.
    """
    wrong = [band for band in requested or () if not 1 <= band <= dataset.count]
    if wrong:
        raise InputError(
            f"band {wrong[0]} is not in scene {path}, which has bands 1 to {dataset.count}; correct --bands"
        )
    colours = list(dataset.colorinterp)
    alpha = tuple(i + 1 for i, c in enumerate(colours) if c == ColorInterp.alpha and i + 1 not in (requested or ()))
    visible = [i + 1 for i in range(dataset.count) if i + 1 not in alpha]
    if not visible:
        raise InputError(f"scene {path} has no band but alpha; give a raster with colours")
    bands, note = (
        (requested, f"bands {_list(requested)}, as requested") if requested else _automatic(path, dataset, visible)
    )
    if requested is None and len(set(bands)) == 1:
        _refuse_elevation(path, dataset, bands[0])
    rendering = _rendering(path, dataset, bands)
    if rendering == Rendering.CMYK:
        read = tuple(colours.index(colour) + 1 for colour in _CMYK)
        note = f"bands {_list(read)}, cyan, magenta, yellow and black turned into colours"
        bands = read[:3]
    else:
        read = tuple(dict.fromkeys(bands))
    notes = {
        Rendering.PALETTE: "its palette expanded", Rendering.INVERTED: "inverted, as its least value is white",
        Rendering.YCBCR: "YCbCr turned into colours", Rendering.DECIBEL: "radar backscatter shown in decibels",
    }  # fmt: skip
    lost = ColorInterp.palette in (colours[band - 1] for band in read) and rendering != Rendering.PALETTE
    said = (note, notes.get(rendering), "its palette is missing" if lost else None)
    return BandChoice(bands, read, rendering, alpha, "; ".join(filter(None, said)))


def parse_bands(text: str) -> tuple[int, ...]:
    """Parse red, green and blue from "4,3,2"; one number stands for all three.

    Raises:
        InputError: it is not one or three numbers.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"bands {text!r} are not numbers; write red,green,blue, for instance 4,3,2") from error
    if len(numbers) not in (1, 3):
        raise InputError(f"bands {text!r} are {len(numbers)} numbers; give one or three, for instance 4,3,2")
    return numbers * 3 if len(numbers) == 1 else numbers


def _automatic(path: SceneAddress, dataset: Any, visible: Sequence[int]) -> tuple[tuple[int, ...], str]:
    colours = {colour: i + 1 for i, colour in reversed(list(enumerate(dataset.colorinterp)))}
    for colour_space, method in ((_RGB, "by colour interpretation"), (_YCBCR, "by colour interpretation")):
        if all(colour in colours for colour in colour_space):
            found = tuple(colours[colour] for colour in colour_space)
            return found, f"bands {_list(found)}, {method}"
    if all(colour in colours for colour in _CMYK):
        return tuple(colours[colour] for colour in _CMYK[:3]), "cyan, magenta, yellow, black"
    sensor = sensor_of(path.name)
    named = bands_by_name(
        {band: dataset.descriptions[band - 1] or "" for band in visible}, sensor.name if sensor else ""
    )
    if named:
        names = ", ".join(dataset.descriptions[band - 1] for band in named)
        return named, f"bands {_list(named)}, by their names {names}"
    if sensor and len(visible) in sensor.rgb:
        found = sensor.rgb[len(visible)]
        return found, f"bands {_list(found)}, by the order of {sensor.name}, as the file name says"
    if len(visible) >= 3:
        found = tuple(visible[:3])
        note = f"bands {_list(found)}, as no band declares its colour; choose others with --bands"
        return found, note + _sensor_hint(len(visible))
    return (visible[0],) * 3, f"band {visible[0]} in gray"


def _sensor_hint(count: int) -> str:
    """Tell the colours of the sensors whose products have so many bands; nothing where the first three are usual."""
    likely: dict[str, list[str]] = {}
    for sensor in SENSORS if count > 4 else ():
        if count in sensor.rgb:
            likely.setdefault(",".join(map(str, sensor.rgb[count])), []).append(sensor.name)
    names = [f"{bands} for {', '.join(dict.fromkeys(sensors))}" for bands, sensors in likely.items()]
    return f", as {'; '.join(names)}" if names else ""


def bands_by_name(names: Mapping[int, str], sensor: str = "") -> tuple[int, int, int] | None:
    """Find red, green and blue by band names: colour words, or the codes of Sentinel-2, Landsat and MODIS.

    Args:
        names: of the bands, by band number.
        sensor: its name if known: B4 is red for Landsat 8, and B3 for Landsat 7.
    """
    words = {band: set(re.findall(r"[a-z]+", name.lower())) for band, name in names.items()}
    by_word = []
    for colour in ("red", "green", "blue"):
        found = [b for b, w in words.items() if colour in w and not w & _OTHER_COLOURS]
        by_word += sorted(found, key=lambda b: len(names[b]))[:1]
    if len(by_word) == 3 and len(set(by_word)) == 3:
        return by_word[0], by_word[1], by_word[2]
    modis = {int(m[1]): b for b, name in names.items() if (m := re.search(r"sur_refl_b(\d\d)", name))}
    if all(code in modis for code in (1, 4, 3)):
        return modis[1], modis[4], modis[3]
    # `b1`, `Band 1` only count bands; `B4`, `SR_B4`, `B04` and `b04` are codes of a sensor.
    codes: dict[int, int] = {}
    for band, name in names.items():
        code = re.search(r"(?:^|[^A-Za-z0-9])(?:B0?|b0)(\d{1,2})(?![0-9A-Za-z])", name)
        if code:
            codes.setdefault(int(code[1]), band)
    thematic_mapper = sensor == "Landsat 4-7" or (
        {1, 2, 3, 4, 5, 7} <= set(codes) and 6 not in codes and len(codes) <= 7
    )
    order = (3, 2, 1) if thematic_mapper else (4, 3, 2)
    return tuple(codes[c] for c in order) if all(c in codes for c in order) else None  # type: ignore[return-value]


def _rendering(path: SceneAddress, dataset: Any, bands: tuple[int, ...]) -> Rendering:
    colours = [dataset.colorinterp[band - 1] for band in bands]
    if colours == list(_CMYK[:3]) and ColorInterp.black in dataset.colorinterp:
        return Rendering.CMYK
    if colours == list(_YCBCR):
        return Rendering.YCBCR
    if len(set(bands)) == 1:
        if colours[0] == ColorInterp.palette and _has_palette(dataset, bands[0]):
            return Rendering.PALETTE
        if dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
            return Rendering.INVERTED
    sensor = sensor_of(path.name)
    names = " ".join(str(dataset.descriptions[band - 1] or "") for band in bands)
    if (sensor and sensor.radar) or _POLARISATION.search(names):
        return Rendering.DECIBEL
    return Rendering.LINEAR


def _has_palette(dataset: Any, band: int) -> bool:
    """Tell whether the colours of a band that declares a palette are in the file."""
    try:
        return bool(dataset.colormap(band))
    except ValueError:
        return False


def _refuse_elevation(path: SceneAddress, dataset: Any, band: int) -> None:
    """Refuse heights: shown as gray they look like no image that a model has seen."""
    index = band - 1
    unit = (dataset.units[index] or "").strip().lower()
    if dataset.dtypes[index].startswith("uint") and dataset.crs and CRS.from_user_input(dataset.crs).is_compound:
        unit = ""  # GDAL says that of the heights of the CRS, which a photograph may have too
    texts = (dataset.descriptions[index] or "", path.stem)
    named = next((text for text in texts if _ELEVATION_NAME.search(text)), None)
    if dataset.colorinterp[index] == ColorInterp.palette or not (unit in _LENGTHS or named):
        return
    why = f"its band has the unit {unit}" if unit in _LENGTHS else f"{named!r} says so"
    raise InputError(
        f"scene {path} looks like an elevation model ({why}); shade it first: "
        f"gdaldem hillshade {path.name} shade.tif, or show heights in gray with --bands {band}"
    )


def _list(bands: tuple[int, ...]) -> str:
    return ",".join(map(str, bands))
