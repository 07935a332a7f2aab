"""The concepts of a store: kept, found by name, taught again, carried to another store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .._files import naming_write_errors, write_atomically
from ..errors import InputError
from ..store.records import Records
from ..store.store import Store
from .concept import KIND, Concept, check_name
from .concept_fit import MIN_TILES, fit_concept
from .labelled_tiles import gather_examples
from .labels import read_labels

DRAWN_TILES = 1000
"""Tiles drawn to stand for the rest of a store: marks are made among the best hits, and say nothing of all else."""


def concepts_of(store: Store) -> Records[Concept]:
    """Open the concepts of a store, by name in any case of its letters."""
    return Records(
        store.path, KIND, lambda text: Concept.from_json(text, "it"), lambda name: " ".join(name.split()).casefold(),
        "`geocmer concept remove {name}`, then teach it again",
    )  # fmt: skip


def make_concept(
    store: Store,
    name: str,
    labels: str | Path,
    *,
    column: str | None = None,
    yes: Sequence[str] = (),
    drawn: int = DRAWN_TILES,
    seed: int = 0,
    notify: Callable[[str], None],
) -> Concept:
    """Teach a concept with marked tiles, and keep it in the store; one of the same name is taught again.

    Args:
        store: whose tiles were marked.
        name: it is asked by.
        labels: file of marks, see `read_labels`.
        column: that holds them.
        yes: marks that mean yes.
        drawn: tiles drawn from the store that stand for no, see `gather_examples`.
        seed: of all chance.
        notify: gets lines about marks that are not used.

    Raises:
        InputError: the name, the file or the marks cannot be used, or are too few.
        StoreError: the store has no vectors, or cannot be written.
    """
    name = check_name(name)
    snapshot = store.snapshot()
    encoder = snapshot.require_encoder()
    if (tiles := snapshot.count()) < 2 * MIN_TILES:
        raise InputError(
            f"the store has {tiles} tiles, and teaching takes {MIN_TILES} that show it and {MIN_TILES} that do not; "
            "tile more scenes, or the same with a smaller --size"
        )
    if drawn < 0:
        raise InputError(f"{drawn} tiles cannot be drawn; give 0 or more")
    examples = gather_examples(snapshot, read_labels(labels, name, column, yes), drawn, notify, seed)
    before = concepts_of(store).find([name])
    concept = fit_concept(examples, name, before[name].version + 1 if before else 1, encoder, seed)
    concepts_of(store).put(name, concept.to_json())
    return concept


def export_concept(store: Store, name: str, path: Path) -> None:
    """Write a concept to a JSON file, from which another store of the same encoder can take it.

    Raises:
        StoreError: there is none of the name.
        InputError: the file cannot be written.
    """
    text = concepts_of(store).get(name).to_json()
    with naming_write_errors(path):
        write_atomically(path, f"{text}\n")


def import_concept(store: Store, path: Path, name: str | None = None) -> Concept:
    """Take a concept from a file of `export_concept`; one of the same name is replaced.

    Args:
        store: to keep it in.
        path: of the file.
        name: to keep it under; None for its own.

    Raises:
        InputError: the file cannot be read, or is no concept.
        FingerprintError: it was taught on vectors of another encoder than the store's.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot read {path}: {reason}; give a file of `geocmer concept export`") from error
    concept = Concept.from_json(text, str(path))
    if name is not None:
        concept = replace(concept, name=check_name(name))
    concept.require_encoder(store.snapshot().require_encoder())
    concepts_of(store).put(concept.name, concept.to_json())
    return concept
