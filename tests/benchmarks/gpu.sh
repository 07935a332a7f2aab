#!/usr/bin/env bash
# All that wants a CUDA GPU, in one go of under 8 minutes with the installation:
#   1. the vectors of the shipped model on the GPU beside those on the CPU;
#   2. whether a training on the GPU, in bfloat16, ends within noise of one on the CPU;
#   3. memory and samples a second of every way to train.
#
#   tests/benchmarks/gpu.sh [PAIRS]             PAIRS: a captioned set, as rsicd/captions.json; without, one is drawn
#   tests/benchmarks/gpu.sh --dry-run           the same steps on the CPU, small: before a GPU is at hand
#
# geocmer is installed for $PYTHON (python3) if it is not there; pip takes its own settings from the environment
# (PIP_FIND_LINKS, PIP_NO_INDEX where there is no network). Tables go to stdout and to $OUT/gpu.md where OUT is set.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
DEVICE=cuda SEEDS=3 MODEL=ViT-B-32 BATCHES=32,128 STEPS=10 LIMIT=200 MORE=()
METHODS="full,lora,adapter,linear,cmer,linear cached,cmer cached"
for word in "$@"; do
    case $word in
    --dry-run) DEVICE=cpu SEEDS=2 MODEL=ViT-S-32-alt BATCHES=2 STEPS=1 METHODS=linear,cmer LIMIT=3600 MORE+=(--images 64 --epochs 2) ;;
    -*) echo "$word is unknown; give PAIRS or --dry-run" >&2; exit 2 ;;
    *) MORE+=(--pairs "$word") ;;
    esac
done
TABLES=${OUT:+$OUT/gpu.md}
TABLES=${TABLES:-/dev/null}

SECONDS=0
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
"$PYTHON" -c "import geocmer.training, torch, timm, open_clip, peft" 2>/dev/null ||
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --editable . peft
echo "installed after $SECONDS s" >&2
[ "$DEVICE" = cpu ] || "$PYTHON" -c "import torch; print(torch.__version__, torch.cuda.get_device_name())"

# Every step is bounded: one that hangs must not take the time of the others. The verdict is the first step's.
status=0
timeout "$LIMIT" "$PYTHON" tests/benchmarks/gpu_agreement.py --device "$DEVICE" --seeds "$SEEDS" "${MORE[@]}" |
    tee -a "$TABLES" || status=$?
echo "compared after $SECONDS s" >&2
timeout "$LIMIT" "$PYTHON" tests/benchmarks/bench_training.py --device "$DEVICE" --model "$MODEL" --batches "$BATCHES" \
    --steps "$STEPS" --methods "$METHODS" | tee -a "$TABLES" || status=$?
echo "done after $SECONDS s" >&2
exit "$status"
