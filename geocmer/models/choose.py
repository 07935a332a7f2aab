"""Which encoder answers: the one that was named, else the one that made a store's vectors, else the bundled one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .backbone import BUNDLED
from .encoder import Encoder
from .imported import refuse_imported

if TYPE_CHECKING:
    from .text_encoder import NumpyTextEncoder


def choose_encoder(
    built_with: tuple[str, str] | None, model: str | None, adapter: str | Path | None, device: str = "auto",
    views: int = 1,
) -> Encoder:  # fmt: skip
    """Load the encoder.

    Args:
        built_with: model and adapter that made the vectors, as a store records them; None without vectors.
        model: the one that was named. An adapter names its own towers, so they need not be named again.
        adapter: folder of the one that was named.
        device: auto, cuda, mps or cpu.
        views: of a picture that are averaged, see `Encoder.load`.

    Raises:
        ModelError: it cannot be loaded.
    """
    if model is None and adapter is None and built_with is not None:
        refuse_imported(built_with[0])
        return Encoder.of_store(*built_with, device, views)
    return Encoder.load(choose_model(None, model, adapter), adapter, device, views)


def choose_model(built_with: tuple[str, str] | None, model: str | None, adapter: str | Path | None) -> str:
    """Name the towers of the encoder that `choose_encoder` loads with the same arguments.

    Raises:
        ModelError: the adapter cannot be read, or the towers that it or the store names were never named here.
    """
    from .trust import require_known

    if model is not None:
        return model
    if adapter is not None:
        from .adapter_config import read_config

        found = read_config(Path(adapter)).backbone
        require_known(found, "", f"adapter {adapter}")
        return found
    if built_with is not None:
        require_known(built_with[0], "", "the store")
        return built_with[0]
    return BUNDLED


def choose_text_encoder(
    built_with: tuple[str, str] | None, model: str | None, adapter: str | Path | None, device: str = "auto",
    views: int = 1,
) -> NumpyTextEncoder | None:  # fmt: skip
    """Load the text side alone, without torch; None unless the bundled model made the vectors and nothing is named."""
    from .text_encoder import NumpyTextEncoder

    if built_with is None or model or adapter or device != "auto":
        return None
    return NumpyTextEncoder.of_store(*built_with, views)
