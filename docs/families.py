"""Write the table of model families into docs/model.md. Run: python docs/cli.py."""

from __future__ import annotations

from pathlib import Path

from geocmer.models.families import FAMILIES

_BEGIN, _END = "<!-- families -->\n", "<!-- /families -->\n"


def page() -> str:
    """The page with the table as it should be."""
    before, _, rest = Path(__file__).with_name("model.md").read_text("utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = "".join(f"| `{family.form}` | {family.help} |\n" for family in FAMILIES.values())
    return f"{before}{_BEGIN}| `--model` | |\n|---|---|\n{rows}{_END}{after}"
