"""Watching: searches that are kept, and what is new for them since the last look."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import is_file
from ..search.criteria import CONDITIONS
from .searching import Searching

if TYPE_CHECKING:
    from ..export.hits import Hits
    from ..search.saved_search import SavedSearch


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Attributes:
        search: that was asked.
        scenes: that are new since the last look.
        hits: in them; None where no scene is new.
    """

    search: SavedSearch
    scenes: frozenset[str]
    hits: Hits | None

    def __len__(self) -> int:
        return 0 if self.hits is None else len(self.hits)


class Watching(Searching):
    """How a `Collection` keeps searches, and tells what is new."""

    def save_search(self, name: str, *texts: str, **arguments: Any) -> SavedSearch:
        """Keep a search under a name; the scenes that are there now count as seen.

        Words without a least score or probability are kept with a least probability of one half: else the best of
        each new scene would be news, whatever they show.

        Args:
            name: to ask by: letters, digits, spaces, `-` and `_`.
            *texts: what to look for.
            **arguments: of `search`, as texts and numbers.

        Raises:
            InputError: the name or an argument cannot be used.
            StoreError: the store cannot be written.
        """
        from ..search.concept import check_name
        from ..search.probability import LIKELY, calibration_of
        from ..search.saved_search import SavedSearch, complete_scenes, kept_arguments, write_search

        scenes = complete_scenes(self.store)
        within = arguments.pop("within", None)
        if arguments.get("region") is not None or within is not None:
            # the area itself: the file may change, or the folder one stands in
            given = {"region": arguments.get("region"), "within": within}
            area = self._filter(None, given, self.save_search).area
            arguments["region"] = None if area is None else f"SRID=4326;{area.geometry.wkt}"
        like = arguments.get("like") or ()
        like = [like] if isinstance(like, str | Path) else like
        arguments["like"] = [str(Path(one).resolve()) if is_file(one) else one for one in like]
        kept = kept_arguments(arguments)
        free = not any(kept.get(one) for one in ("min_score", "min_probability", "like", "more", "less"))
        if free and calibration_of(self._query_encoder(images=False)) is not None:
            kept["min_probability"] = LIKELY
            self._notify(f"saved with --min-probability {LIKELY}, as neither it nor --min-score was given")
        saved = SavedSearch(check_name(name, "a saved search"), texts, kept, scenes, "").asked_of(scenes)
        write_search(self.store, saved)
        return saved

    def saved_searches(self) -> list[SavedSearch]:
        """Read the searches that are kept."""
        from ..search.saved_search import searches_of

        return searches_of(self.store).all()

    def remove_search(self, name: str) -> None:
        """Remove a saved search.

        Raises:
            StoreError: there is none of the name.
        """
        from ..search.saved_search import searches_of

        searches_of(self.store).remove(name)

    def look(self, name: str) -> Look:
        """Ask a saved search of the scenes that were completed since it was last asked; `mark_seen` ends the look.

        Raises:
            StoreError: there is no such search, or its record is damaged.
            InputError: it cannot be asked any more.
        """
        from ..search.saved_search import complete_scenes, searches_of

        saved = searches_of(self.store).get(name)
        scenes = complete_scenes(self.store) - saved.seen  # before the tiles are read: all of these are there
        if not scenes:
            return Look(saved, scenes, None)
        arguments = dict(saved.arguments)
        conditions = {one: arguments.pop(one) for one in CONDITIONS if one in arguments}
        chosen = replace(self._filter(None, conditions, self.look), scenes=scenes)
        return Look(saved, scenes, self.search(*saved.texts, filter=chosen, **arguments))

    def mark_seen(self, look: Look) -> None:
        """Count the scenes of a look as seen: to be called once its hits are where they should be.

        Raises:
            StoreError: the store cannot be written.
        """
        from ..search.saved_search import write_search

        write_search(self.store, look.search.asked_of(look.scenes))

    def write_feed(self, look: Look, path: str | Path) -> None:
        """Write the hits of a look to a file; a GeoJSON feed keeps those of earlier looks behind them.

        Raises:
            InputError: the file cannot be written, or is no feed.
        """
        from ..export.feed import FEED_SUFFIXES, extend_feed

        path = Path(path)
        if path.suffix.lower() not in FEED_SUFFIXES:
            if look.hits is not None:
                look.hits.save(path)
            return
        with tempfile.TemporaryDirectory(prefix="geocmer-") as folder:
            news = Path(folder) / "news.geojson"
            if look.hits is not None:
                look.hits.save(news)
            extend_feed(path, news, look.search.name)
