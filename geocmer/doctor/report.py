"""What the doctor found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: one word or two, always the same for the same thing.
        what: in words.
        count: how many.
        example: one of them.
        remedy: what mends it: a command, or words.
        mended: whether that was done.
    """

    kind: str
    what: str
    count: int
    example: str
    remedy: str
    mended: bool = False
    rows: tuple[Any, ...] = field(default=(), repr=False)

    def lines(self) -> list[str]:
        """For a person."""
        return [
            f"{self.kind}: {self.count} {self.what}",
            f"  for instance {self.example}",
            f"  {'mended' if self.mended else 'to mend'}: {self.remedy}",
        ]

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {name: value for name, value in asdict(self).items() if name != "rows"}


@dataclass(frozen=True, slots=True)
class Report:
    """Findings, and notes on what was not looked at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing remains to be mended."""
        return all(finding.mended for finding in self.findings)
