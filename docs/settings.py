"""The page on the training settings, from the docstrings of `TrainConfig`."""

from __future__ import annotations

import ast
import inspect
import itertools
from dataclasses import fields

from geocmer.training import config

_HEAD = """# Training settings

The keys of the TOML file that `geocmer train --config FILE` reads. Options of the command win over the file; an
unknown key is refused. Generated from the docstrings by `python docs/generate.py`; a test keeps it so.
"""


def page() -> str:
    """The whole page."""
    notes = described()
    rows = [f"| `{f.name}` | `{_toml(f.default)}` | {notes.get(f.name, '')} |" for f in fields(config.TrainConfig)]
    return "\n".join([_HEAD, "| key | default | |", "|---|---|---|", *rows]) + "\n"


def described() -> dict[str, str]:
    """The docstring under each field, on one line."""
    (body,) = [n.body for n in ast.parse(inspect.getsource(config.TrainConfig)).body if isinstance(n, ast.ClassDef)]
    found = {}
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(node.target, ast.Name):
            found[node.target.id] = " ".join(ast.literal_eval(after.value).split())
    return found


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
