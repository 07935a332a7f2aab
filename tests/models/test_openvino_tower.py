"""The image tower on a CPU through OpenVINO."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from geocmer.models.openvino_tower import REQUEST_IMAGES, OpenVinoTower

SIZE = 64


def tower(seed: int = 0) -> nn.Module:
    import timm

    from geocmer.models.bundled import _WithTaps

    torch.manual_seed(seed)
    trunk = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    return _WithTaps(trunk, 2).eval()


class Small(nn.Module):
    """Makes a pooled vector and two maps, as a tower does, in a tenth of the time to convert."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first = nn.functional.relu6(self.first(x))
        second = nn.functional.relu6(self.second(first))
        return second.mean((2, 3)), first, second


def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("towers") / "tiny.xml"
    OpenVinoTower(found, tower, SIZE)
    return found


@pytest.mark.parametrize("count", [1, REQUEST_IMAGES, 2 * REQUEST_IMAGES + 3])
def test_outputs_are_those_of_torch_in_the_order_of_the_images(file: Path, count: int) -> None:
    images = torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = tower()(images)
    for got, want in zip(OpenVinoTower(file, tower, SIZE)(images), expected, strict=True):
        assert got.shape == want.shape
        cosines = torch.cosine_similarity(got.flatten(1), want.flatten(1).clone())
        assert cosines.min() > 0.99999
        torch.testing.assert_close(got, want.clone(), rtol=1e-3, atol=1e-4 * float(want.abs().max()))


def test_a_converted_tower_is_read_without_building_it(file: Path) -> None:
    def build() -> nn.Module:
        raise AssertionError("built again")

    assert len(OpenVinoTower(file, build, SIZE)(torch.zeros(1, 3, SIZE, SIZE))) == 3


def test_images_that_are_strided_are_taken_as_their_copies(file: Path) -> None:
    images = torch.randn(3, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(1)).permute(0, 3, 1, 2)
    run = OpenVinoTower(file, tower, SIZE)
    assert all(torch.equal(a, b) for a, b in zip(run(images), run(images.contiguous()), strict=True))


def test_where_nothing_can_be_written_it_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    run = OpenVinoTower(tmp_path / "taken" / "tiny.xml", small, SIZE)
    assert run(torch.zeros(1, 3, SIZE, SIZE))[0].shape[0] == 1


def test_no_process_is_started_and_no_connection_opened(tmp_path: Path) -> None:
    """OpenVINO reports to a server that it is imported and that it converts; geocmer sends nothing anywhere."""
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; seen = []; sys.addaudithook(lambda event, _: seen.append(event))\n"
        "from pathlib import Path; from test_openvino_tower import SIZE, OpenVinoTower, small\n"
        "import torch; seen.clear(); tall = OpenVinoTower(Path(sys.argv[2]), small, SIZE)\n"
        "tall(torch.zeros(1, 3, SIZE, SIZE))\n"
        "print(sorted({'os.fork', 'subprocess.Popen', 'socket.connect', 'socket.getaddrinfo'} & set(seen)))"
    )
    here, file = str(Path(__file__).parent), str(tmp_path / "tower.xml")
    done = subprocess.run([sys.executable, "-c", code, here, file], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
