"""Lengths as people write them: "2 km", "1 500 m", "2,5 km", "half a mile", "one and a half miles"."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import InputError

UNIT_METRES = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("km", "kms", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0),
    **dict.fromkeys(("mi", "mile", "miles"), 1609.344),
    **dict.fromkeys(("yd", "yds", "yard", "yards"), 0.9144),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
    **dict.fromkeys(("nmi", "nm", "nautical mile", "nautical miles"), 1852.0),
}
"""Metres in a unit: the international mile, yard and foot (1959) and nautical mile (1929)."""
UNITS = "m, km, mi, yd, ft or nmi"
MAX_METRES = 20_003_932.0
"""From pole to pole on the WGS84 ellipsoid: no two places are farther apart."""
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_NUMBERS |= {"a": 1, "an": 1}
_PARTS = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8"}
_BLANK = r"[\s\u00a0\u2009\u202f]"
_DIGITS = (
    rf"(?:\d+[\s-]+)?\d+{_BLANK}*[/⁄]{_BLANK}*\d+|\d*[{''.join(_VULGAR)}]"  # 1/2, 1 1/2, 1½
    rf"|\d{{1,3}}(?:(?:{_BLANK}|['’])\d{{3}})+(?!\d)(?:[.,]\d+)?"  # 1 000, 1'000
    r"|\d[\d.,]*(?:e[+-]?\d+)?|\.\d+"
)
_NUMBER_WORD = rf"(?:{'|'.join(sorted([*_NUMBERS, 'hundred', 'thousand'], key=len, reverse=True))})\b"
_COUNT = rf"{_NUMBER_WORD}(?:(?:[\s-]+|\s+and\s+){_NUMBER_WORD}){{0,8}}"
_PART_WORDS = ("half", "halves", "third", "thirds", "quarter", "quarters")
_PART = rf"(?:{'|'.join(_PART_WORDS)})\b"
_SPELLED = (
    rf"(?:(?:{_COUNT}[\s-]+)?{_PART}(?:\s+of)?(?:\s+an?\b)?"  # half a, one and a half, three quarters of a
    rf"|{_COUNT})"  # two, twenty-five, a hundred
)
_KNOWN_UNIT = "|".join(re.sub(" ", r"\\s+", unit) for unit in sorted(UNIT_METRES, key=len, reverse=True))
LENGTH = (
    rf"(?:(?P<number>{_DIGITS})(?:{_BLANK}|-(?=[^\W\d_]))*(?P<unit>nautical\s+miles?|[^\W\d_]+)\.?"
    rf"|(?P<spelled>{_SPELLED})[\s-]*(?P<spelled_unit>{_KNOWN_UNIT})\b(?P<more>\s+and\s+(?:an?|one)\s+{_PART})?)"
)
"""A pattern with the groups that `metres_of` reads."""
WORDS = frozenset((*_NUMBERS, *_PART_WORDS, "hundred", "thousand", "and", "of"))
"""Words that a length may begin with or go on with, units apart."""
HINT = (
    rf"(?:\d|(?:{_KNOWN_UNIT}|metric|few|couple|several|distance|radius|reach|range|sight|minutes?|hours?|walk"
    r"|throw)\b)"
)
"""What tells that words are meant for a distance."""


def metres_of(match: re.Match[str]) -> float:
    """Read the length that `LENGTH` has found.

    Raises:
        InputError: the number or the unit is not understood, or no places on Earth are so far apart.
    """
    parts, written = match.groupdict(), " ".join(match[0].split())
    unit = " ".join((parts["unit"] or parts["spelled_unit"]).casefold().split())
    if unit not in UNIT_METRES:
        raise InputError(f"{written!r} has the unknown unit {unit!r}; write {UNITS}")
    try:
        amount = _digits(parts["number"]) if parts["number"] else _spelled(f"{parts['spelled']} {parts['more'] or ''}")
        metres = round(amount * UNIT_METRES[unit], 6)  # a micrometre: 1500 ft are 457.2 m
    except (KeyError, ValueError, ArithmeticError) as error:
        number = parts["number"] or parts["spelled"]
        raise InputError(
            f"{written!r} has the number {number.strip()!r}; write for instance 2, 2.5 or 1,500"
        ) from error
    if not 0 < metres <= MAX_METRES:
        raise InputError(
            f"{written!r} is a distance that no two places have; give one above 0 and up to {MAX_METRES:.0f} m"
        )
    return metres


def read_length(text: str) -> float:
    """Read a length that stands alone, as "5km" or "half a mile", in metres.

    Raises:
        InputError: it is none, or no places on Earth are so far apart.
    """
    match = re.fullmatch(LENGTH, text.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"{text!r} is no distance; write for instance 5km, 500 m or half a mile")
    return metres_of(match)


def write_length(metres: float) -> str:
    """Write metres as words that `metres_of` reads as the same number, to the last bit."""
    kilometres = metres / 1000
    if kilometres >= 1 and float(f"{kilometres!r}") * 1000.0 == metres:
        return f"{kilometres!r} km".replace(".0 ", " ")
    return f"{metres!r} m".replace(".0 ", " ")


def _digits(text: str) -> float:
    """Read a number: the last of dot and comma is the decimal sign, unless it stands before three digits as a comma."""
    for sign, fraction in _VULGAR.items():
        text = text.replace(sign, f" {fraction}")
    whole, slash, divisor = text.replace("⁄", "/").partition("/")
    if slash:
        *units, dividend = re.split(r"[\s-]+", whole.strip())
        return float(sum(map(int, units)) + Fraction(int(dividend), int(divisor)))
    text = re.sub(rf"{_BLANK}|['’]", "", text)
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+,\d+|[1-9]\d{0,2}(\.\d{3}){2,}", text):
        return float(text.replace(".", "").replace(",", "."))
    return float(text.replace(",", ".", 1) if "." not in text else text)


def _spelled(text: str) -> float:
    """Read a number in words: units, tens, hundred, thousand, and parts of one."""
    total, group, part = 0, 0, Fraction(0)
    words = re.sub(r"\bof\b(?:\s+an?\b)?|(?<=half)\s+an?\b", "", text.casefold()).replace("-", " ").split()
    for before, word in zip(["", *words], words, strict=False):
        if name := next((name for name in _PARTS if word.startswith(name[:3]) and word not in _NUMBERS), None):
            times = 1 if before in ("a", "an", "one", "and", "") else _NUMBERS[before]
            group -= _NUMBERS.get(before, 0)
            part += times * _PARTS[name]
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word == "thousand":
            total, group = total + max(group, 1) * 1000, 0
        elif word != "and":
            group += _NUMBERS[word]
    return float(total + group + part)
