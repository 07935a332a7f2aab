"""How scenes go into a store: how they are divided, the land cover under them, and the rules of their categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from .._types import Progress
from ..errors import InputError
from ..imagery.scene_source import SceneSource
from ..imagery.shared_stretch import shared_stretch
from ..landcover.categories import Rules, load_rules
from ..landcover.layer import LandCover
from .pipeline import check_inputs, scene_source
from .tile_options import TileOptions


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What is the same for all scenes that are added together; made once, as opening a land-cover layer takes time.

    It may be pickled if `of` made it of names: an open layer cannot be sent to another machine, which opens its own.
    """

    options: TileOptions = field(default_factory=TileOptions)
    land_cover: LandCover | None = None
    rules: Rules = field(default_factory=load_rules)
    made_of: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The arguments of `of` that made it."""

    @classmethod
    def of(
        cls, *, landcover: str | Path | LandCover | None = None, legend: str | Path | None = None,
        class_column: str | None = None, layer: str | None = None, rules: str | Path | Rules | None = None,
        **tiling: Any,
    ) -> Self:  # fmt: skip
        """Make a plan of values as people write them.

        Args:
            landcover: a raster, a folder of rasters or a vector file that tells the scene categories, or an open layer.
            legend: name or file of its legend.
            class_column: of a vector file: the column that holds the class.
            layer: of a vector file with several.
            rules: TOML file, from class shares to a category; the bundled rules if None.
            **tiling: how a scene is read and divided, see `TileOptions.of`: size or sizes, stride, bands, gsd,
                min_valid, nodata, gcps, datetime, stretch.

        Raises:
            GeocmerError: a value cannot be read, or the land cover cannot be used.
        """
        made_of = {
            "landcover": landcover, "legend": legend, "class_column": class_column, "layer": layer, "rules": rules,
            **tiling,
        }  # fmt: skip
        options = TileOptions.of(**tiling)
        if landcover is not None and not isinstance(landcover, LandCover):
            landcover = LandCover.open(landcover, legend, class_column=class_column, layer=layer)
        elif legend or class_column or layer:
            raise InputError(
                "a legend, a class column or a layer belongs to a land-cover file; name it with --landcover"
            )
        return cls(options, landcover, rules if isinstance(rules, Rules) else load_rules(rules), made_of)

    def __reduce__(self) -> tuple[Callable[..., IngestPlan], tuple[Any, ...]]:
        if self.made_of is not None:
            return _plan_of, (dict(self.made_of),)
        return IngestPlan, (self.options, self.land_cover, self.rules)

    @property
    def shares_stretch(self) -> bool:
        """Whether its stretch is that of all scenes together, and not settled yet."""
        return self.options.stretch.kind == "shared"

    def over(self, scenes: Sequence[str | Path | SceneSource], progress: Progress | None = None) -> IngestPlan:
        """Settle what follows from all scenes together, which is a shared stretch.

        Args:
            scenes: that are added with it.
            progress: see `shared_stretch`.
        """
        if not self.shares_stretch:
            return self
        sources = [scene_source(scene) for scene in scenes]
        rule = shared_stretch([(source.address, self.options.of_scene(source)) for source in sources], progress)
        if rule is None:  # none can be used; tiling them says why
            return self
        made_of = None if self.made_of is None else {**self.made_of, "stretch": rule}
        return replace(self, options=replace(self.options, stretch=rule), made_of=made_of)

    def check(self, scene: str | Path | SceneSource) -> None:
        """Refuse what ingesting a scene would refuse, before a store is created or a model loaded.

        Raises:
            GeocmerError: the scene cannot be used, or the land cover lies elsewhere.
        """
        check_inputs(scene, self.options, self.land_cover)


def _plan_of(settings: dict[str, Any]) -> IngestPlan:
    return IngestPlan.of(**settings)
