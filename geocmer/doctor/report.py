"""What the doctor found: findings, and a report of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: one word or two, always the same for the same thing.
        what: what was found, in words.
        count: how many.
        example: one of them.
        remedy: what fixes it: a command, or words.
        fixed: whether that was done.
        rows: the rows that the repair needs.
    """

    kind: str
    what: str
    count: int
    example: str
    remedy: str
    fixed: bool = False
    rows: tuple[Any, ...] = field(default=(), repr=False)

    def lines(self) -> list[str]:
        """Describe it to a person."""
        return [
            f"{self.kind}: {self.count} {self.what}",
            f"  for instance {self.example}",
            f"  {'fixed' if self.fixed else 'to fix'}: {self.remedy}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Describe it to a program."""
        return {name: value for name, value in asdict(self).items() if name != "rows"}


@dataclass(frozen=True, slots=True)
class Report:
    """Findings, and notes on what was not checked."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing remains to be fixed."""
        return all(finding.fixed for finding in self.findings)
