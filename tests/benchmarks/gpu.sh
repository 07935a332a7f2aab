#!/usr/bin/env bash
# All that wants a CUDA GPU, in one go of under 8 minutes with the installation:
#   1. the vectors of the shipped model on the GPU beside those on the CPU;
#   2. whether a training on the GPU, in bfloat16, ends within noise of one on the CPU;
#   3. memory and samples a second of every way to train.
#
#   tests/benchmarks/gpu.sh [PAIRS]             PAIRS: a captioned set, as rsicd/captions.json; without, one is drawn
#   tests/benchmarks/gpu.sh --dry-run           the same steps on the CPU, small: before a GPU is at hand
#
# What $PYTHON (python3) lacks is installed into a virtual environment beside it, $VENV, which sees the machine's own
# torch and keeps it; pip takes its settings from the environment (PIP_FIND_LINKS, PIP_NO_INDEX where there is no network,
# PIP_INDEX_URL for another build of torch). Tables go to stdout and to $OUT/gpu.md where OUT is set.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3} VENV=${VENV:-${TMPDIR:-/tmp}/geocmer-gpu-venv}
DEVICE=cuda SEEDS=3 MODEL=ViT-B-32 BATCHES=128,32 STEPS=10 TOTAL=460 MORE=()
METHODS="full,lora,adapter,linear,cmer,linear cached,cmer cached"
for word in "$@"; do
    case $word in
    --dry-run) DEVICE=cpu SEEDS=2 MODEL=ViT-S-32-alt BATCHES=2 STEPS=1 METHODS=linear,cmer TOTAL=3600 MORE+=(--images 64 --epochs 2) ;;
    -*) echo "$word is unknown; give PAIRS or --dry-run" >&2; exit 2 ;;
    *) [ -e "$word" ] || { echo "$word does not exist; give the annotation file of a captioned set" >&2; exit 2; }
       MORE+=(--pairs "$(realpath "$word")") ;;
    esac
done
TABLES=/dev/null
[ -z "${OUT:-}" ] || { mkdir -p "$OUT"; TABLES=$OUT/gpu.md; : >"$TABLES"; }

SECONDS=0
left() { echo $((TOTAL - SECONDS > 20 ? TOTAL - SECONDS : 20)); }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$PYTHON" - "$scratch" <<'END'
import sys, tomllib  # both fail, and say why, on a Python that is too old
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
folder = Path(sys.argv[1])
needed = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
(folder / "needed.txt").write_text("\n".join([*needed, "peft"]))
try:  # a torch that is there was built for the machine's driver
    (folder / "kept.txt").write_text(f"torch=={version('torch')}\n")
except PackageNotFoundError:
    (folder / "kept.txt").write_text("")
END
pip=(-m pip --quiet --disable-pip-version-check install --requirement "$scratch/needed.txt" --constraint "$scratch/kept.txt")
if ! "$PYTHON" "${pip[@]}" --dry-run --no-index >/dev/null 2>&1; then # all of it is not there
    [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv --system-site-packages "$VENV"
    PYTHON=$VENV/bin/python
    timeout "$(left)" "$PYTHON" "${pip[@]}"
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 # nothing is fetched from a hub
echo "installed after $SECONDS s" >&2
[ "$DEVICE" = cpu ] || "$PYTHON" -c "import torch; print(torch.__version__, torch.cuda.get_device_name())"

# What is left of the time bounds every step: one that hangs must not take it all. The verdict is the first step's.
status=0
timeout "$(($(left) * 6 / 10))" "$PYTHON" tests/benchmarks/gpu_agreement.py --device "$DEVICE" --seeds "$SEEDS" \
    ${MORE[@]+"${MORE[@]}"} | tee -a "$TABLES" || status=$?
echo "compared after $SECONDS s" >&2
timeout "$(left)" "$PYTHON" tests/benchmarks/bench_training.py --device "$DEVICE" --model "$MODEL" --batches "$BATCHES" \
    --steps "$STEPS" --methods "$METHODS" | tee -a "$TABLES" || status=$?
echo "done after $SECONDS s" >&2
exit "$status"
