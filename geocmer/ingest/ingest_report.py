"""What was done with one scene: how it was divided, and what was added to the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..imagery.tiling import TilingReport


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What was done with one scene.

    Attributes:
        scene: its address.
        tilings: how it was divided, by the size of the tiles.
        added: number of tiles written by this run.
        notes: what the user should know: band choice, land-cover warnings, the device.
    """

    scene: str
    tilings: Mapping[int, TilingReport]
    added: int
    notes: tuple[str, ...]

    @classmethod
    def of_sizes(cls, reports: Sequence[IngestReport]) -> IngestReport:
        """Join the reports on one scene in several sizes."""
        tilings = {size: tiling for report in reports for size, tiling in report.tilings.items()}
        notes = dict.fromkeys(note for report in reports for note in report.notes)
        return cls(reports[0].scene, tilings, sum(report.added for report in reports), tuple(notes))

    @property
    def tiling(self) -> TilingReport:
        """How it was divided, in the first size."""
        return next(iter(self.tilings.values()))

    def lines(self) -> list[str]:
        """Give the report as lines of text."""
        outcome = "nothing to do, all its tiles are in the store"
        if self.added:
            outcome = f"{self.added} tiles added"
        elif not any(tiling.made for tiling in self.tilings.values()):
            outcome = "no tile was made, for the reasons below; a smaller --size or a lower --min-valid keeps more"
        names = [f"{size} pixels: " if len(self.tilings) > 1 else "" for size in self.tilings]
        divided = [
            name + line for name, tiling in zip(names, self.tilings.values(), strict=True) for line in tiling.lines()
        ]
        return [f"{self.scene}: {outcome}", *(f"  {line}" for line in (*divided, *self.notes))]

    def to_json(self) -> dict[str, Any]:
        """Give the report as a JSON object; `tiling` is that of the first size, `sizes` has all."""
        sizes = {str(size): tiling.to_json() for size, tiling in self.tilings.items()}
        return {
            "scene": self.scene, "added": self.added, "tiling": self.tiling.to_json(), "sizes": sizes,
            "notes": list(self.notes),
        }  # fmt: skip
