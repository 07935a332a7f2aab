"""The concepts of a store: kept, found by name, taught again, carried to another store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .._files import naming_write_errors, write_atomically
from ..errors import InputError, StoreError
from ..store.records import read_records, remove_record, require_record, write_record
from ..store.store import Store
from .concept import KIND, Concept, check_name
from .concept_fit import fit_concept
from .labelled_tiles import gather_examples
from .labels import read_labels

DRAWN = 1000
"""Tiles drawn to stand for the rest of a store: marks are made among the best hits, and say nothing of all else."""


def list_concepts(store: Store) -> list[Concept]:
    """Read every concept of a store, by name in order.

    Raises:
        StoreError: the record of one is damaged.
    """
    return [_concept(store, name, text) for name, text in read_records(store.path, KIND).items()]


def find_concepts(store: Store, names: Sequence[str]) -> dict[str, Concept]:
    """Read the concepts of those of the names that have one, in any case of their letters.

    Raises:
        StoreError: the record of one is damaged.
    """
    kept = read_records(store.path, KIND)
    return {name: _concept(store, key, kept[key]) for name in names if (key := _key(name)) in kept}


def get_concept(store: Store, name: str) -> Concept:
    """Read the concept of a name.

    Raises:
        StoreError: there is none, or its record is damaged.
    """
    key = _key(name)
    return _concept(store, key, require_record(read_records(store.path, KIND), KIND, key))


def make_concept(
    store: Store,
    name: str,
    labels: str | Path,
    *,
    column: str | None = None,
    yes: Sequence[str] = (),
    drawn: int = DRAWN,
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
    if drawn < 0:
        raise InputError(f"{drawn} tiles cannot be drawn; give 0 or more")
    examples = gather_examples(snapshot, read_labels(labels, name, column, yes), drawn, notify, seed)
    before = read_records(store.path, KIND).get(_key(name))
    version = _concept(store, name, before).version + 1 if before is not None else 1
    concept = fit_concept(examples, name, version, encoder, seed)
    keep_concept(store, concept)
    return concept


def keep_concept(store: Store, concept: Concept) -> None:
    """Keep a concept in a store, in the place of one of the same name.

    Raises:
        StoreError: the store cannot be written.
    """
    write_record(store.path, KIND, _key(concept.name), concept.to_json())


def remove_concept(store: Store, name: str) -> None:
    """Remove a concept from a store.

    Raises:
        StoreError: there is none of the name, or the store cannot be written.
    """
    require_record(read_records(store.path, KIND), KIND, _key(name))
    remove_record(store.path, KIND, _key(name))


def export_concept(store: Store, name: str, path: Path) -> None:
    """Write a concept to a JSON file, from which another store of the same encoder can take it.

    Raises:
        StoreError: there is none of the name.
        InputError: the file cannot be written.
    """
    text = get_concept(store, name).to_json()
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
    keep_concept(store, concept)
    return concept


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _concept(store: Store, name: str, text: str) -> Concept:
    try:
        return Concept.from_json(text, f"the record of concept {name!r}")
    except InputError as error:
        raise StoreError(
            f"the record of concept {name!r} in the store {store.path} is damaged; `geocmer concept remove {name!r}`, "
            "then teach it again"
        ) from error
