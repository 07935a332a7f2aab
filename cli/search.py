"""`geocmer search`: parses, asks the library, prints."""

from __future__ import annotations

from typing import Any

from geocmer.errors import InputError

from . import options as opt
from .answer import require_output, write_or_print
from .batch import search_batch
from .console import say
from .drawing import draw_heatmaps


def _kinds() -> str:
    from geocmer.relations.kinds import summary

    return summary()


HELP_WORDS = {"RELATIONS": _kinds}


def search(
    text: opt.Texts = None,
    store: opt.StoreDir = opt.STORE,
    bbox: opt.Bbox = None,
    region: opt.RegionText = None,
    within: opt.Within = None,
    category: opt.Category = None,
    since: opt.Since = None,
    until: opt.Until = None,
    gsd: opt.Gsd = None,
    where: opt.Where = None,
    as_of: opt.AsOf = None,
    like: opt.Like = None,
    minus: opt.Minus = None,
    more: opt.More = None,
    less: opt.Less = None,
    k: opt.HitCount = 10,
    every: opt.AllHits = False,
    keep: opt.Keep = opt.KeepHit.best,
    all_dates: opt.AllDates = False,
    approximate: opt.Approximate = False,
    explain: opt.Explain = False,
    preview: opt.Preview = False,
    min_score: opt.MinScore = None,
    min_probability: opt.MinProbability = None,
    category_prior: opt.CategoryPrior = None,
    literal: opt.Literal = False,
    locate: opt.Locate = False,
    save: opt.Save = None,
    before: opt.Before = None,
    after: opt.After = None,
    heatmaps: opt.Heatmaps = None,
    batch: opt.Batch = None,
    output: opt.Output = None,
    thumbnails: opt.Thumbnails = False,
    style: opt.Style = False,
    model: opt.Model = None,
    adapter: opt.AdapterDir = None,
    device: opt.Device = "auto",
    as_json: opt.Json = False,
) -> None:
    """Find the tiles that look most like the words, exactly, within a region.

    "airport near river" asks for two kinds of places and how they lie to each other; several such relations are joined
    by "and", and "not" turns one round. See the page on relations. There are:
    RELATIONS.

    Filters apply before ranking, so a region or a category never shortens the answer below -k while enough places
    match. Of tiles that show the same place, as where scenes overlap, the best is kept; --keep newest, or --all-dates.
    --batch FILE -o DIR answers many questions in one pass over the store, with a file of hits for each.

    Each hit has the probability that it shows what the words say, if the model's adapter is calibrated. Where no tile
    is likely to, that is said; --min-probability 0.5 leaves the unlikely ones out.

    Example: geocmer search "airport near river" --bbox=-79,35,-78,36 -o hits.geojson
    """
    if before or after:
        raise InputError(
            f"a search looks at every date; for what is new between two ask `geocmer change {' '.join(text or [])!r} "
            f"--from {before or 'DATE'} --to {after or 'DATE'}`, for the tiles of some dates give --since and --until"
        )
    conditions = opt.conditions(locals())
    examples: dict[str, Any] = {"like": like or (), "minus": minus or (), "more": more or (), "less": less or ()}
    ranking: dict[str, Any] = {
        "k": None if every else k,
        "keep": "all" if all_dates else keep.value,
        "min_score": min_score,
    }
    ranking |= {"min_probability": min_probability, "literal": literal, "category_prior": category_prior}
    collection = opt.open_collection(store, as_of=as_of, model=model, adapter=adapter, device=device)
    if batch:
        not_in_batch: dict[str, Any] = {
            "TEXT": text,
            "--approximate": approximate,
            "--explain": explain,
            "--locate": locate,
            "--save": save,
            "--preview": preview,
        }
        not_in_batch |= {f"--{name}": value for name, value in examples.items()}
        not_in_batch |= {"--heatmaps": heatmaps, "--thumbnails": thumbnails, "--style": style, "--json": as_json}
        search_batch(
            collection, batch, output, conditions | ranking, [name for name in not_in_batch if not_in_batch[name]]
        )
        return
    require_output(output, style=style)
    if save:
        from geocmer.search.concept import check_name

        check_name(save, "a saved search")
    hits = collection.search(*(text or []), **conditions, **examples, **ranking, approximate=approximate, locate=locate)
    if explain:
        for line in hits.plan.lines():
            say(line)
    write_or_print(hits, output, thumbnails=thumbnails, style=style, as_json=as_json)
    if preview:
        from .preview import print_previews

        print_previews(hits, as_json=as_json)
    if explain or heatmaps:
        draw_heatmaps(collection, hits, heatmaps, output)
    if save:
        collection.save_search(save, *(text or []), **conditions, **examples, **ranking)
        say(f"saved; `geocmer watch {save!r}` says what is new once more scenes are tiled")
    if not len(hits) and min_probability is None:
        say("no tile matches; widen the region or the filters, or see what the store holds with `geocmer info`")
