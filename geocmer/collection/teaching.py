"""Teaching: concepts from marked tiles, and the detections of what was taught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..search.criteria import CONDITIONS
from ..store.filter import Filter
from .opening import Opening, check_names

if TYPE_CHECKING:
    from ..export.detections import Detections
    from ..search.concept import Concept
    from ..search.probability import ProbabilityModel
    from ..search.tile_probabilities import TileProbabilities
    from ..store.vectors import EncoderInfo

MIN_PROBABILITY = 0.5
"""Probability from which on a tile counts as detected."""


class Teaching(Opening):
    """What a `Collection` can be taught, and what it then finds everywhere."""

    def make_concept(
        self,
        name: str,
        labels: str | Path,
        *,
        column: str | None = None,
        yes: str | Sequence[str] = (),
        drawn: int | None = None,
        seed: int = 0,
    ) -> Concept:
        """Teach a concept with marked hits or areas, and keep it in the store; then it is asked by its name.

        Args:
            name: of the concept.
            labels: file of marks: hits of an export with yes or no beside them, or areas and points on the ground.
            column: that holds the marks; None for `label`.
            yes: marks that mean yes; every other then means no.
            drawn: tiles drawn from the store that stand for the rest of the world, 1000 if not given.
            seed: of all chance.

        Raises:
            InputError: the file or its marks cannot be used, or are too few.
            StoreError: the store has no vectors, or cannot be written.
        """
        from ..search.concepts import DRAWN_TILES, make_concept

        positive_texts = [yes] if isinstance(yes, str) else list(yes)
        drawn = DRAWN_TILES if drawn is None else drawn
        return make_concept(
            self.store, name, labels, column=column, yes=positive_texts, drawn=drawn, seed=seed, notify=self._notify
        )

    def concepts(self) -> list[Concept]:
        """Read the concepts that the store was taught."""
        from ..search.concepts import concepts_of

        return concepts_of(self.store).all()

    def concept(self, name: str) -> Concept:
        """Read the concept of a name.

        Raises:
            StoreError: there is none, or its record is damaged.
        """
        from ..search.concepts import concepts_of

        return concepts_of(self.store).get(name)

    def remove_concept(self, name: str) -> None:
        """Remove a concept.

        Raises:
            StoreError: there is none of the name.
        """
        from ..search.concepts import concepts_of

        concepts_of(self.store).remove(name)

    def export_concept(self, name: str, path: str | Path) -> None:
        """Write a concept to a JSON file, for another store whose vectors the same encoder made.

        Raises:
            StoreError: there is none of the name.
            InputError: the file cannot be written.
        """
        from ..search.concepts import export_concept

        export_concept(self.store, name, Path(path))

    def import_concept(self, path: str | Path, name: str | None = None) -> Concept:
        """Take a concept from a file that `export_concept` wrote.

        Raises:
            InputError: it is no such file.
            FingerprintError: another encoder made the store's vectors.
        """
        from ..search.concepts import import_concept

        return import_concept(self.store, Path(path), name)

    def probabilities(self, name: str, *, filter: Filter | None = None, **conditions: Any) -> TileProbabilities:
        """Compute how probably every tile shows a concept, or what words say where no concept has this name.

        Args:
            name: of the concept, or words.
            filter: conditions on the tiles.
            **conditions: or the same by name, see `make_filter`.

        Raises:
            InputError: it is neither a concept nor words for which the model has a calibration.
            StoreError: there are no vectors.
            FingerprintError: it was taught on vectors of another encoder.
        """
        from ..search.tile_probabilities import tile_probabilities

        chosen = self._filter(filter, conditions, self.probabilities)
        snapshot = self.store.snapshot()
        found = tile_probabilities(snapshot, self._probability_model(name, snapshot.require_encoder()), chosen)
        if found.unembedded:
            self._notify(f"{found.unembedded} tiles have no vector yet and are left out; run `geocmer embed`")
        return found

    def _probability_model(self, name: str, made_by: EncoderInfo) -> ProbabilityModel:
        """Tell what is asked of every tile, by a concept or by words; which of them it is, is said."""
        from ..relations.notes import relation_notes
        from ..search.concepts import concepts_of
        from ..search.probability import ProbabilityModel

        for concept in concepts_of(self.store).find([name]).values():
            concept.require_encoder(made_by)
            self._notify(f"concept {concept.name!r}, version {concept.version}")
            return concept.probability_model
        encoder, calibration = self._calibrated_encoder()
        if calibration is None:
            raise InputError(
                f"there is no concept {name!r}, and this model has no calibration that makes probabilities of words; "
                "teach one with `geocmer concept make`, or run `geocmer calibrate`"
            )
        self._notify(f"no concept has the name {name!r}, so these words are looked for")
        for note in relation_notes(name):
            self._notify(note)
        vector = encoder.encode_texts([name])
        return ProbabilityModel.of(calibration, vector, vector[:0])

    def detect(self, name: str, *, min_probability: float = MIN_PROBABILITY, **conditions: Any) -> Detections:
        """Find every place that shows a concept: tiles, merged with their neighbours into polygons.

        Args:
            name: of the concept, or words.
            min_probability: of a tile.
            **conditions: on the tiles, as in `probabilities`.

        Raises:
            GeocmerError: as `probabilities`.
        """
        from ..export.detections import Detections
        from ..search.probability import check_share

        check_names(self.detect, conditions, ("filter", *CONDITIONS))
        check_share("min_probability", min_probability)
        return Detections.of(self.probabilities(name, **conditions), name, min_probability)

    def write_probabilities(
        self, name: str, path: str | Path, *, resolution: float | None = None, **conditions: Any
    ) -> tuple[int, int]:
        """Write how probably each place shows a concept, as a COG; return its width and height.

        Args:
            name: of the concept, or words.
            path: of the file.
            resolution: side of a pixel in units of the CRS; None for the step between tiles.
            **conditions: on the tiles, as in `probabilities`.

        Raises:
            GeocmerError: as `probabilities`, or the file cannot be written.
        """
        from ..export.probability_raster import write_probabilities

        check_names(self.write_probabilities, conditions, ("filter", *CONDITIONS))
        tiles = self.probabilities(name, **conditions)
        scenes = {scene.id: scene for scene in self.store.scenes()}
        grid = write_probabilities(tiles, scenes, Path(path), name, resolution)
        return grid.width, grid.height
