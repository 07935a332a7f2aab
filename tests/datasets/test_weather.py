"""Snow and clouds painted on training pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geocmer.datasets.clouds import paint_clouds
from geocmer.datasets.fractal_noise import fractal_noise, ranks, relief
from geocmer.datasets.pairs import Pair, PairSet
from geocmer.datasets.snow import COVER, paint_floes, paint_snow
from geocmer.datasets.weather import SNOWY, WeatherImage, clouds, snow


@dataclass(frozen=True, slots=True)
class Ground:
    """Brown and green ground with an edge across it and fine grain, as a field beside a wood."""

    number: int

    def pixels(self, size: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self.number)
        picture = np.empty((size, size, 3))
        picture[: size // 2], picture[size // 2 :] = (120, 95, 60), (40, 70, 35)
        return np.clip(picture + rng.normal(0, 8, (size, size, 1)), 0, 255).astype(np.uint8)

    def digest(self) -> bytes:
        return self.number.to_bytes(16, "big")


def labelled() -> PairSet:
    names = ("Forest", "River", "SeaLake", "AnnualCrop", "Industrial", "mountain")
    pairs = [Pair(Ground(i), ("x",), "train", labels=(name,)) for i, name in enumerate(names)]
    scene = Pair(Ground(7), ("a bare land",), "train", scene="bareland")
    return PairSet(
        "some", (*pairs, scene, Pair(Ground(8), ("x",), "val", labels=("Forest",)), Pair(Ground(9), ("x",), "train"))
    )


def saturation(picture: NDArray[np.floating]) -> float:
    return float((picture.max(axis=2) - picture.min(axis=2)).mean())


@pytest.mark.parametrize("kind", sorted(COVER))
def test_snow_is_brighter_and_has_less_colour_than_the_ground(kind: str) -> None:
    ground = Ground(0).pixels(64) / 255
    painted = [paint_snow(ground, kind, np.random.default_rng(seed)) for seed in range(8)]
    assert all(one.shape == ground.shape and one.min() >= 0 and one.max() <= 1 for one in painted)
    assert np.mean([one.mean() for one in painted]) > ground.mean() + 0.1
    assert np.mean([saturation(one) for one in painted]) < saturation(ground)


def test_clouds_are_smooth_and_snow_keeps_the_edges_of_the_ground() -> None:
    """What tells them apart: detail finer than 3 pixels, of whole pictures of each."""
    ground = Ground(0).pixels(64) / 255
    detail: dict[str, list[float]] = {"snow": [], "clouds": []}
    for seed in range(12):
        for name, picture in (
            ("snow", paint_snow(ground, "mountain", np.random.default_rng(seed))),
            ("clouds", paint_clouds(ground, np.random.default_rng(seed))),
        ):
            light = picture.mean(axis=2)
            detail[name].append(float((light - gaussian_filter(light, 3)).std()))
    assert np.median(detail["snow"]) > 2 * np.median(detail["clouds"])


def test_floes_are_bright_on_dark_water() -> None:
    pictures = [paint_floes(64, np.random.default_rng(seed)) for seed in range(6)]
    assert min(float(np.percentile(one, 1)) for one in pictures) < 0.3
    assert min(float(np.percentile(one, 99)) for one in pictures) > 0.5


def test_snow_is_labelled_with_its_ground_and_stays_off_towns() -> None:
    pairs = snow(labelled(), 60).pairs
    assert len(pairs) == 60
    assert {pair.labels[1] for pair in pairs} == set(SNOWY.values())  # each kind of ground that there is
    for pair in pairs:
        assert isinstance(pair.image, WeatherImage)
        assert SNOWY[pair.image.weather] == pair.labels[1]
        assert pair.image.image not in (Ground(4), Ground(8), Ground(9))  # a town, a validation picture, one unknown
        assert ("Forest" in pair.labels) == (pair.labels[1] == "snowy forest")
        assert not {"River", "SeaLake"} & set(pair.labels)  # ice is no open water


def test_clouds_lie_over_everything_and_keep_its_label() -> None:
    pairs = clouds(labelled(), 80).pairs
    assert {pair.labels for pair in pairs} == {
        ("cloudy", name) for name in ("Forest", "River", "SeaLake", "AnnualCrop", "Industrial", "mountain", "bareland")
    }
    assert all(pair.split == "train" and pair.captions for pair in pairs)


@pytest.mark.parametrize("draw", [snow, clouds])
def test_they_are_seeded(draw) -> None:  # type: ignore[no-untyped-def]
    first, again, other = (draw(labelled(), 6, seed) for seed in (0, 0, 1))
    assert first == again
    assert [p.image.digest() for p in first.pairs] != [p.image.digest() for p in other.pairs]
    picture = first.pairs[0].image
    assert np.array_equal(picture.pixels(40), picture.pixels(40))
    assert picture.pixels(40).shape == (40, 40, 3)
    assert replace(picture, seed=9).digest() != picture.digest()


def test_nothing_to_paint_on() -> None:
    town = PairSet("town", (Pair(Ground(0), ("x",), "train", labels=("Industrial",)),))
    assert snow(town, 5).pairs == ()
    assert clouds(PairSet("unknown", (Pair(Ground(0), ("x",), "train"),)), 5).pairs == ()


def test_noise_is_spread_evenly() -> None:
    noise = fractal_noise(50, 20, np.random.default_rng(0), stretch=3)
    assert noise.shape == (50, 50)
    np.testing.assert_allclose(np.quantile(noise, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)
    assert np.abs(np.diff(noise, axis=1)).mean() < np.abs(np.diff(noise, axis=0)).mean()  # cells longer than high


def test_ranks_share_ties() -> None:
    np.testing.assert_allclose(ranks(np.array([[3.0, 1.0], [1.0, 5.0]])), np.array([[2 / 3, 0], [0, 1]]))


def test_slopes_towards_the_light_are_bright() -> None:
    ramp = np.tile(np.arange(8.0) ** 2, (8, 1))
    assert (np.diff(relief(ramp, 0.0), axis=1) >= 0).all()
    np.testing.assert_allclose(relief(ramp, np.pi), -relief(ramp, 0.0))
