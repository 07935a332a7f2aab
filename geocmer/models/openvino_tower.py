"""A frozen image tower compiled by OpenVINO: on a CPU four to six times as fast as torch, with the same vectors."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._files import atomic_path

REQUEST_IMAGES = 8
"""Images of one request; several requests run at a time, each on threads of its own."""


class OpenVinoTower:
    """Runs a module that maps images (n, 3, size, size) to several outputs of n rows each, in float32.

    Args:
        file: the converted module (`.xml`, with its weights beside it in `.bin`), which is written if it is missing.
        build: makes the module, in evaluation mode on the CPU, if it has to be converted.
        size: side of an image, pixels.
    """

    def __init__(self, file: Path, build: Callable[[], nn.Module], size: int) -> None:
        openvino = _openvino()
        core = openvino.Core()
        model = core.read_model(file) if file.exists() else _convert(build(), size)
        if not file.exists():
            _write(model, file)
        # Without the hint, processors with bfloat16 would compute in it: vectors must not depend on the processor.
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
        options["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
        compiled = core.compile_model(model, "CPU", options)
        self._queue: Any = openvino.AsyncInferQueue(compiled)
        self._outputs = len(compiled.outputs)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Compute each output, (n, ...) float32, for n >= 1 images (n, 3, size, size)."""
        parts: dict[int, list[NDArray[np.float32]]] = {}

        def keep(request: Any, start: int) -> None:
            parts[start] = [request.get_output_tensor(i).data.copy() for i in range(self._outputs)]

        self._queue.set_callback(keep)
        pixels = np.ascontiguousarray(images.numpy())
        for start in range(0, len(pixels), REQUEST_IMAGES):
            self._queue.start_async({0: pixels[start : start + REQUEST_IMAGES]}, start)
        self._queue.wait_all()
        ordered = [parts[start] for start in sorted(parts)]
        return [torch.from_numpy(np.concatenate(output)) for output in zip(*ordered, strict=True)]


def _openvino() -> Any:
    """Import OpenVINO without its telemetry: it reports to a server that it was imported, from a forked process."""
    hidden = "openvino_telemetry" not in sys.modules
    if hidden:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it fails, which is allowed
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]
    return openvino


def _convert(module: nn.Module, size: int) -> Any:
    """Convert a module by OpenVINO's front end for PyTorch.

    Not by `openvino.convert_model`, which does the same and reports its use to a server, from a forked process.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    front_end = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the decoder traces the module, by a call that torch has deprecated
        decoder = TorchScriptPythonDecoder(module, example_input=torch.zeros(1, 3, size, size))
        model = front_end.convert(front_end.load(decoder))
    model.reshape({0: [-1, 3, size, size]})
    return model


def _write(model: Any, file: Path) -> None:
    """Keep a converted module: reading it takes a tenth of the time. Where nothing can be written, nothing is kept."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # The weights are in place before the graph is: a graph that exists is complete.
        with atomic_path(file) as graph, atomic_path(file.with_suffix(".bin")) as weights:
            _openvino().serialize(model, str(graph), str(weights))
