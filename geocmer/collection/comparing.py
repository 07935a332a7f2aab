"""Comparing: what is different between two times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..store.filter import Filter
from .opening import Opening

if TYPE_CHECKING:
    from ..export.hits import Hits
    from ..export.series import Series


class Comparing(Opening):
    """What a `Collection` tells of the same places at several times."""

    def change(
        self,
        text: str,
        *,
        before: str | date,
        after: str | date,
        gone: bool = False,
        filter: Filter | None = None,
        k: int | None = 10,
        keep: Literal["best", "all"] = "best",
        min_score: float = 0.0,
        **conditions: Any,
    ) -> Hits:
        """Find places that show something in later pictures and not in earlier ones, or the reverse, exactly.

        Args:
            text: what to look for, one description.
            before: end of the earlier time, as "2009", "2009-07" or "2009-07-31".
            after: beginning of the later time, likewise.
            gone: what the earlier pictures show and the later do not.
            filter: conditions that every hit meets, but for dates.
            **conditions: or the same by name, see `search`.
            k: how many hits; None for all.
            keep: the "best" of hits that show the same place, or "all".
            min_score: least difference of the probabilities, 0 to 1.

        Returns:
            Hits whose partner is the tile of the same place at the other time.

        Raises:
            InputError: a time or another value cannot be used.
            StoreError: there is no store, it has no vectors, or another encoder made them.
        """
        from ..export.hits import Hits
        from ..relations.change import change_notes, find_change
        from ..relations.notes import relation_notes
        from ..relations.periods import Periods
        from ..search.probability import check_share

        check_share("min_score", min_score)
        periods, chosen = Periods.of(before, after), self._filter(filter, conditions, self.change)
        for note in relation_notes(text):
            self._notify(note)
        encoder, calibration = self._calibrated_encoder()
        if calibration is None:
            self._notify("this model has no calibration: differences are measured in the spread of the store's tiles")
        answer = find_change(
            self.store, text, encoder.encode_texts, periods, gone=gone, filter=chosen, k=k,
            keep=None if keep == "all" else keep, min_score=min_score, calibration=calibration,
        )  # fmt: skip
        hits = Hits.of(answer, f"{text}, {'gone' if gone else 'new'} {periods.title}")
        for note in change_notes(hits):
            self._notify(note)
        return hits

    def series(self, text: str, *, at: str | tuple[float, float], minus: str | Sequence[str] = ()) -> Series:
        """Tell how probably a place shows something at each time it was seen.

        Args:
            text: what to look for, one description.
            at: longitude and latitude, degrees (WGS84), or the same as text.
            minus: texts that it must not show.

        Raises:
            InputError: there is no such place, or the model has no calibration.
            StoreError: there is no store, it has no vectors, or another encoder made them.
        """
        from ..export.series import Series
        from ..relations.notes import relation_notes
        from ..search.probability import ProbabilityModel
        from ..search.series import read_point, series_at

        place = read_point(at if isinstance(at, str) else f"{at[0]},{at[1]}")
        for note in relation_notes(text):
            self._notify(note)
        encoder, calibration = self._calibrated_encoder()
        if calibration is None:
            raise InputError(
                "this model has no calibration, so there are no probabilities to compare; make one for its adapter with"
                " `geocmer calibrate`"
            )
        absent = [minus] if isinstance(minus, str) else list(minus)
        vectors = encoder.encode_texts([text, *absent])
        found = series_at(self.store.snapshot(), place, ProbabilityModel.of(calibration, vectors[:1], vectors[1:]))
        for count, lack in ((found.undated, "no date"), (found.unembedded, "no vector yet")):
            if count:
                self._notify(f"{count} tiles of this place have {lack} and are left out")
        if not found.observations:
            self._notify(
                f"no dated tile holds {place[0]:g}, {place[1]:g}; see what the store holds with `geocmer info`"
            )
        return Series(text, place, found.observations)
