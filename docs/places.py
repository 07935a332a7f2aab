"""The figure on footprints: tiles of three scenes in longitude and latitude, as the library outlines them."""

from __future__ import annotations

import charts
import shapely
from affine import Affine
from pyproj import Transformer
from shapely import MultiPolygon, Polygon

from geocmer.geometry.footprint import footprint

SIDE, TOP, GAP = 230, 44, 20
COLOURS = ("#0b5cad", "#7a4fa3")
Shape = Polygon | MultiPolygon


def tiles(crs: str, west: float, north: float, step: float, count: int) -> list[Shape]:
    """Outline `count` x `count` tiles of `step` metres from a corner in a CRS on."""
    return [
        footprint(Affine(step, 0, west + column * step, 0, -step, north - row * step), 1, 1, crs)
        for row in range(count)
        for column in range(count)
    ]


def picture() -> str:
    """Draw the three scenes beside each other."""
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32660", always_xy=True).transform(180, -17)
    panels = [
        ("UTM zone 33, far north", tiles("EPSG:32633", 280_000, 8_760_000, 60_000, 4), (3, 18, 76.2, 79.2)),
        (
            "UTM zone 60, across 180°",
            tiles("EPSG:32660", x - 100_000, y + 100_000, 50_000, 4),
            (178.9, 181.1, -18.1, -15.9),
        ),
        ("EPSG:3031, over the pole", tiles("EPSG:3031", -1_600_000, 1_600_000, 800_000, 4), (-180, 180, -90, -66)),
    ]
    parts: list[str] = []
    for at, (title, shapes, extent) in enumerate(panels):
        left = GAP + at * (SIDE + GAP)
        parts += _panel(title, shapes, extent, left)
    return charts.page("Footprints in longitude and latitude", TOP + SIDE + 30, parts)


def _panel(title: str, shapes: list[Shape], extent: tuple[float, float, float, float], left: float) -> list[str]:
    west, east, south, north = extent

    def place(lon: float, lat: float) -> tuple[float, float]:
        turned = lon + 360 if lon < west else lon
        return left + SIDE * (turned - west) / (east - west), TOP + SIDE * (north - lat) / (north - south)

    parts = [
        f'<text x="{left}" y="22" font-weight="600" fill="{charts.INK}">{title}</text>',
        f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="#f5f7f9" stroke="#dde3e9"/>',
    ]
    for number, shape in enumerate(shapes):
        for part, polygon in enumerate(shapely.get_parts(shape)):
            points = " ".join("{:.1f},{:.1f}".format(*place(*point[:2])) for point in polygon.exterior.coords)
            colour = COLOURS[part % 2]
            fill = 0.28 if number in (5, 10) else 0.08
            parts.append(f'<polygon points="{points}" fill="{colour}" fill-opacity="{fill}" stroke="{colour}"/>')
    if west < 180 < east:
        x, _ = place(180, south)
        y1, y2 = TOP, TOP + SIDE
        parts.append(f'<path d="M{x:.0f} {y1}V{y2}" stroke="#b3261e" stroke-dasharray="4 3"/>')
    low, high = (f"{value if value <= 180 else value - 360:g}°" for value in (west, east))
    y, middle = TOP + SIDE + 16, left + SIDE / 2
    return [
        *parts,
        f'<text x="{left}" y="{y}" fill="{charts.SOFT}">{low}</text>',
        f'<text x="{left + SIDE}" y="{y}" text-anchor="end" fill="{charts.SOFT}">{high}</text>',
        f'<text x="{middle}" y="{y}" text-anchor="middle" fill="{charts.SOFT}">{south:g}° to {north:g}°</text>',
    ]
