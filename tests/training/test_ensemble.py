"""The loop on a small real task: it learns, resumes exactly, and keeps its cache honest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colours import CFG, COLOURS, Dim, TinyBackbone
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet
from geocmer.errors import InputError
from geocmer.evaluation.recall import recall
from geocmer.models.known_captions import MIN_TOKEN_CAPTIONS, KnownCaptions
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.feature_cache import image_features
from geocmer.training.loop import Epoch
from geocmer.training.text_features import text_features
from geocmer.training.validation import similarity


def test_it_learns_and_reports_each_epoch(pairs: PairSet, tmp_path: Path) -> None:
    seen: list[Epoch] = []
    train(pairs, TinyBackbone(), tmp_path / "out", CFG, cache=tmp_path / "cache", on_epoch=seen.append)  # type: ignore[arg-type]
    assert [(e.member, e.number) for e in seen] == [(member, n) for member in range(2) for n in range(6)]
    assert seen[5].loss < seen[0].loss
    assert max(e.val.mean for e in seen) > 70  # two pictures of each colour tie: about 83 is the most
    for member in range(2):
        lines = (tmp_path / "out" / f"member-{member}" / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(6))
    whole = json.loads((tmp_path / "out" / "metrics.jsonl").read_text())
    assert (whole["members"], whole["mR"] > 70) == (2, True)
    assert not list((tmp_path / "out").rglob("state.pt"))


def test_interrupted_and_resumed_ends_bit_equal(pairs: PairSet, tmp_path: Path) -> None:
    """Interrupted twice, in each of the members."""
    cfg, cache, backbone = replace(CFG, epochs=4), tmp_path / "cache", TinyBackbone()
    train(pairs, backbone, tmp_path / "whole", cfg, cache=cache)  # type: ignore[arg-type]
    for member in range(2):

        def stop(epoch: Epoch, member: int = member) -> None:
            if (epoch.member, epoch.number) == (member, 2):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(pairs, backbone, tmp_path / "cut", cfg, cache=cache, on_epoch=stop)  # type: ignore[arg-type]
    train(pairs, backbone, tmp_path / "cut", cfg, cache=cache)  # type: ignore[arg-type]
    for name in ("model.safetensors", "metrics.jsonl", "member-0/metrics.jsonl", "member-1/model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_kept_adapter_is_projected_on_the_principal_directions(pairs: PairSet, tmp_path: Path) -> None:
    backbone: Any = TinyBackbone()
    cfg = replace(CFG, epochs=2)
    kept = train(pairs, backbone, tmp_path / "short", cfg)
    whole = train(pairs, backbone, tmp_path / "whole", replace(cfg, dim=12))
    assert (kept.cfg.dim, kept.cfg.member_dim, whole.cfg.dim, whole.basis) == (8, 6, 12, None)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(kept.state_dict()[name], tensor), name
    train_set = pairs.split("train")
    pixels = [np.stack([pair.image.pixels(16)]) for pair in train_set.pairs]
    seen = torch.cat([whole.image(backbone.image(each)) for each in pixels]).double().numpy()
    told = whole.text(backbone.text(sorted(set(train_set.captions()[0])))).double().numpy()
    moments = seen.T @ seen / len(seen) + told.T @ told / len(told)
    energy = np.linalg.eigvalsh(moments)[::-1]
    assert kept.basis is not None
    basis = kept.basis.double().numpy()
    np.testing.assert_allclose(basis.T @ basis, np.eye(8), atol=2e-3)
    np.testing.assert_allclose(np.diag(basis.T @ moments @ basis), energy[:8], atol=2e-3)


def test_training_goes_on_from_an_adapter(pairs: PairSet, tmp_path: Path) -> None:
    """With a rate of almost 0 the members stay what they were; a member of other sizes is refused."""
    backbone: Any = TinyBackbone()
    first = train(pairs, backbone, tmp_path / "first", CFG)
    on = replace(CFG, start=str(tmp_path / "first"), epochs=1, seed=5)
    still = train(pairs, backbone, tmp_path / "still", replace(on, learning_rate=1e-12))
    moved = train(pairs, backbone, tmp_path / "moved", on)
    for name, tensor in first.state_dict().items():
        if "branches" in name:
            torch.testing.assert_close(still.state_dict()[name], tensor, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(still.log_scale, first.log_scale, atol=2e-3, rtol=0)
    assert any(not torch.equal(moved.state_dict()[n], t) for n, t in first.state_dict().items() if "branches" in n)
    known = [KnownCaptions.load(tmp_path / name) for name in ("first", "still")]
    assert known[0] is not None
    assert known[1] is not None
    assert not (known[0].known & ~known[1].known).any()
    others: list[dict[str, Any]] = [{"members": 3}, {"width": 2 * CFG.width}]
    for wrong in others:
        with pytest.raises(InputError, match=f"has {next(iter(wrong))} .* and not {next(iter(wrong.values()))}"):
            train(pairs, backbone, tmp_path / "wrong", replace(on, **wrong))


def test_towers_are_released_once_their_features_are_kept(pairs: PairSet, tmp_path: Path) -> None:
    cached, live, cfg = TinyBackbone(), TinyBackbone(), replace(CFG, epochs=1)
    train(pairs, cached, tmp_path / "cached", cfg, cache=tmp_path / "cache")  # type: ignore[arg-type]
    assert cached.released == cached.pictures > 0  # and were not needed again
    train(pairs, live, tmp_path / "live", cfg)  # type: ignore[arg-type]
    assert live.released == -1


def test_a_run_with_other_settings_is_not_resumed(pairs: PairSet, tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(pairs, TinyBackbone(), tmp_path / "out", CFG, cache=tmp_path, on_epoch=stop)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="other settings"):
        train(pairs, TinyBackbone(), tmp_path / "out", TrainConfig(epochs=2), cache=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", [{"queue": 16, "queue_start": 0.0}, {"captions": 2}, {"label_share": 0.5}])
def test_every_part_learns_and_resumes_bit_equal(pairs: PairSet, tmp_path: Path, part: dict[str, Any]) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise KeyboardInterrupt

    cfg = replace(CFG, epochs=4, token_dropout=0.2, dropout=0.2, **part)
    seen: list[Epoch] = []
    train(pairs, TinyBackbone(), tmp_path / "whole", cfg, cache=tmp_path / "c", on_epoch=seen.append)  # type: ignore[arg-type]
    assert max(e.val.mean for e in seen) > 60
    with pytest.raises(KeyboardInterrupt):
        train(pairs, TinyBackbone(), tmp_path / "cut", cfg, cache=tmp_path / "c", on_epoch=stop)  # type: ignore[arg-type]
    train(pairs, TinyBackbone(), tmp_path / "cut", cfg, cache=tmp_path / "c")  # type: ignore[arg-type]
    for name in ("model.safetensors", "metrics.jsonl", "member-0/metrics.jsonl", "member-1/model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_with_and_without_the_cache_the_loss_is_the_same(pairs: PairSet, tmp_path: Path) -> None:
    losses, cfg = [], replace(CFG, epochs=3, learning_rate=1e-3)
    for cache in (tmp_path / "cache", None):
        seen: list[Epoch] = []
        train(pairs, Dim(), tmp_path / str(cache is None), cfg, cache=cache, on_epoch=seen.append)  # type: ignore[arg-type]
        losses.append([e.loss for e in seen])
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_similarity_is_the_cosines(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    adapter = train(pairs, backbone, tmp_path / "out", replace(CFG, epochs=4), cache=tmp_path)  # type: ignore[arg-type]
    val = pairs.split("val")
    texts, owner = val.captions()
    images = image_features(backbone, val, tmp_path, 1)  # type: ignore[arg-type]
    kept = text_features(backbone, texts, tmp_path)  # type: ignore[arg-type]
    got = recall(similarity(adapter, images, kept, kept.rows(texts), len(val)), owner)
    pixels = np.stack([p.image.pixels(16) for p in val.pairs])
    a = adapter.image(backbone.image(pixels)).numpy().astype(np.float64)
    b = adapter.text(backbone.text(texts)).numpy().astype(np.float64)
    assert abs(got.mean - recall(np.round(a @ b.T, 4).astype(np.float32), owner).mean) < 15


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "magic"},
        {"views": 65},
        {"epochs": 0},
        {"label_share": 1.5},
        {"captions": 0},
        {"width": 10, "heads": 3},
        {"dim": 10, "members": 2, "branch_dim": 4},
        {"members": 0},
    ],
)
def test_bad_settings_are_named(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=str(next(iter(bad.values())))):
        TrainConfig(**bad)


@pytest.fixture
def labelled(tmp_path: Path) -> PairSet:
    """The colours of `pairs` again, in darker pictures that have labels only; "Sand" is no colour of `pairs`."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "labelled"
    folder.mkdir()
    entries = []
    for i in range(40):
        name, colour = [*COLOURS.items(), ("Sand", (200, 180, 90))][i % 5]
        noisy = np.clip(0.8 * np.array(colour) + rng.integers(-10, 10, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i}.png")
        entries.append({"path": f"{i}.png", "split": "train" if i < 30 else "val", "label": name})
    (folder / "labels.json").write_text(json.dumps({"images": entries}))
    return load_pairs(folder / "labels.json")


def test_several_sets_are_trained_on_and_validated_each_in_its_own_way(
    pairs: PairSet, labelled: PairSet, tmp_path: Path
) -> None:
    scores: list[Any] = []
    cfg = replace(CFG, epochs=8, weights=(3.0, 1.0), bias_texts=16)
    adapter = train([pairs, labelled], TinyBackbone(), tmp_path / "out", cfg, on_ensemble=scores.append)  # type: ignore[arg-type]
    (score,) = scores
    assert set(score.by_set) == {pairs.name, "labelled"}
    recall, accuracy = score.by_set[pairs.name], score.by_set["labelled"]
    assert score.mean == pytest.approx((3 * recall.mean + accuracy.mean) / 4)
    assert accuracy.mean > 60  # five classes: chance is 20
    backbone: Any = TinyBackbone()
    words = sorted({pair.labels[0] for pair in labelled.pairs})
    texts = adapter.text(backbone.text([word.lower() for word in words]))
    right = [
        pair.labels[0] == words[int((adapter.image(backbone.image(pair.image.pixels(16)[None])) @ texts.T).argmax())]
        for pair in labelled.split("val").pairs
    ]
    assert 100 * np.mean(right) == pytest.approx(accuracy.mean, abs=10)  # the saved weights are float16
    line = json.loads((tmp_path / "out" / "metrics.jsonl").read_text())
    assert set(line["sets"]) == set(score.by_set)


def test_a_trained_adapter_has_a_bias_against_hubs_of_its_own_captions(pairs: PairSet, tmp_path: Path) -> None:
    backbone: Any = TinyBackbone()
    cfg = replace(CFG, epochs=2, bias_texts=16, bias_strength=0.5, bias_sharpness=10.0)
    plain = train(pairs, backbone, tmp_path / "plain", replace(cfg, bias_texts=0, dim=7))
    biased = train(pairs, backbone, tmp_path / "biased", cfg)
    assert (plain.cfg.dim, biased.cfg.dim, biased.cfg.core_dim) == (7, 8, 7)
    train_set = pairs.split("train")
    pixels = np.concatenate([pair.image.pixels(16)[None] for pair in train_set.pairs])
    captions = sorted(set(train_set.captions()[0]))
    assert biased.hub_bias is not None
    bank = biased.hub_bias.bank.numpy()
    known = plain.text(backbone.text(captions)).numpy()
    assert (np.abs(bank[:, None] - known[None]).max(-1).min(1) < 2e-3).all()  # each a training caption
    images = plain.image(backbone.image(pixels)).double().numpy()
    bias = np.log(np.exp(10 * images @ bank.T.astype(np.float64)).mean(1)) / 10
    score = images @ known.T - 0.5 * (bias - bias.mean())[:, None]
    cosine = (biased.image(backbone.image(pixels)) @ biased.text(backbone.text(captions)).T).numpy()
    centred = cosine / (1 - 0.3**2) ** 0.5
    assert np.abs((centred - centred.mean(0)) - (score - score.mean(0))).max() < 0.05
    assert np.corrcoef(centred.ravel(), score.ravel())[0, 1] > 0.99


def test_one_image_is_too_few_whichever_set_it_is_of(pairs: PairSet, tmp_path: Path) -> None:
    one = PairSet("one", tuple(replace(p, split="train") for p in pairs.pairs[:1]))
    with pytest.raises(InputError, match="one has 1 training image"):
        train([pairs, one], TinyBackbone(), tmp_path / "out", CFG)  # type: ignore[arg-type]


def test_the_captions_that_an_adapter_keeps_are_the_trained_ones(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    cfg = TrainConfig(epochs=1, batch=8, members=1, branch_dim=8, dim=8, width=8, heads=2, views=1, known_captions=30)
    adapter = train(pairs, backbone, tmp_path / "out", cfg, cache=tmp_path / "cache")  # type: ignore[arg-type]
    kept = KnownCaptions.load(tmp_path / "out")
    assert kept is not None
    texts = sorted({caption for pair in pairs.split("train").pairs for caption in pair.captions})
    features = backbone.text(texts)
    with torch.inference_mode():
        vectors = adapter.text(features)[:, :7].numpy()
    pooled = features.pooled.numpy() / np.linalg.norm(features.pooled.numpy(), axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for mine, theirs in zip(kept.pooled, kept.vectors, strict=True):
        at = np.abs(pooled - mine).max(1).argmin()
        np.testing.assert_allclose(pooled[at], mine, atol=1e-3)
        np.testing.assert_allclose(vectors[at], theirs, atol=2e-3)
    tokens = backbone.tokenize(texts).numpy()
    for letter in range(27):
        assert kept.known[letter] == (sum(letter in row for row in tokens) >= MIN_TOKEN_CAPTIONS)
    train(pairs, backbone, tmp_path / "none", replace(cfg, known_captions=0), cache=tmp_path / "cache")  # type: ignore[arg-type]
    assert KnownCaptions.load(tmp_path / "none") is None
