"""Calibration in one call: sets in, the calibration of an adapter written beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .._types import Progress
from ..datasets.mixture import load_sets
from ..errors import InputError
from ..models.choose import choose_encoder
from .calibrate import calibrate
from .reliability import Reliability
from .reliability_plot import draw_reliability, require_image


def recalibrate(
    pairs: Sequence[str],
    *,
    model: str | None = None,
    adapter: str | Path | None = None,
    device: str = "auto",
    figure: str | Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Reliability:
    """Make the calibration of an adapter, and return what it is worth.

    Args:
        pairs: annotation files, see `load_sets`; their `val` splits are looked at.
        model: towers; None: those of the adapter, or the bundled ones.
        adapter: folder of the adapter; None: the one that ships.
        device: auto, cuda, mps or cpu.
        figure: PNG to draw.
        dry_run: measure only, and write nothing.
        progress: called with (done, total) pictures.
        notify: gets a line about the model, and one about what was written.

    Raises:
        GeocmerError: a set or the model cannot be read, there is no adapter, or too little is known of the pictures.
    """
    notify = notify or (lambda _: None)
    sets = [each.with_validation() for each in load_sets(pairs)]
    if not any(each.has_split("val") for each in sets):
        sets[0].split("val")  # says which splits there are
    if figure:
        require_image(Path(figure))
    encoder = choose_encoder(None, model, adapter, device)
    notify(f"model {encoder.backbone.spec} on {encoder.backbone.device}")
    if encoder.folder is None and not dry_run:
        raise InputError(f"{encoder.backbone.spec} has no adapter to lay the calibration beside; give --adapter")
    calibration, found = calibrate(encoder, sets, progress)
    if encoder.folder is not None and not dry_run:
        calibration.save(encoder.folder, encoder.fingerprint)
        notify(f"calibration written to {encoder.folder}")
    if figure:
        draw_reliability(found, Path(figure))
    return found
