"""The loop on a small real task: it learns, resumes exactly, and keeps its cache honest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.pairs import PairSet
from geocmer.errors import InputError
from geocmer.evaluation.recall import recall
from geocmer.models.backbone import Features
from geocmer.models.known_captions import MIN_TOKEN_CAPTIONS, KnownCaptions
from geocmer.training.config import TrainConfig
from geocmer.training.ensemble import train
from geocmer.training.feature_cache import UncachedImages, image_features, text_features
from geocmer.training.loop import Epoch
from geocmer.training.validation import measure
from geocmer.training.views import view

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "white": (230, 230, 230)}


class TinyBackbone:
    """Frozen towers that can be computed in the head: mean colours, and bags of letters."""

    spec, fingerprint, size, aligned = "tiny", "0123456789abcdef" * 2, 16, False
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.pictures = 0
        self.released = -1

    def release(self) -> None:
        self.released = self.pictures

    def image(self, pixels: np.ndarray) -> Features:
        self.pictures += len(pixels)
        x = torch.from_numpy(np.array(pixels)).float() / 255
        x = torch.nn.functional.interpolate(x.permute(0, 3, 1, 2), (16, 16)).permute(0, 2, 3, 1)
        quarters = x.unfold(1, 8, 8).unfold(2, 8, 8).mean((-1, -2)).flatten(1, 2)
        return Features(x.mean((1, 2)), (quarters,))

    def tokenize(self, texts: Any) -> torch.Tensor:
        """The letters of each text, padded with spaces."""
        letters = [[("abcdefghijklmnopqrstuvwxyz".find(c) + 27) % 27 for c in t] for t in texts]
        return torch.tensor([(row + [26] * 64)[:64] for row in letters])

    def text(self, texts: Any) -> Features:
        """A bag of letters, and as words the letters themselves."""
        letters = torch.eye(27)
        words = [[("abcdefghijklmnopqrstuvwxyz".find(c) + 27) % 27 for c in t] for t in texts]
        mask = torch.tensor([[i < len(w) for i in range(max(map(len, words)))] for w in words])
        tokens = torch.stack([letters[w + [26] * (mask.shape[1] - len(w))] for w in words])
        return Features((tokens * mask[..., None]).sum(1)[:, :26], (tokens,), mask)


class Dim(TinyBackbone):
    """Says the same as the float16 of a cache would keep, but for the last bits: colours far from gray."""

    def image(self, pixels: np.ndarray) -> Features:
        seen = super().image(pixels)
        bright = torch.tensor([3.0, 2.0, 1.0])
        return Features(seen.pooled + bright, tuple(tap + bright for tap in seen.taps))


@pytest.fixture
def pairs(tmp_path: Path) -> PairSet:
    rng = np.random.default_rng(0)
    entries = []
    for i in range(48):
        name, colour = list(COLOURS.items())[i % 4]
        noisy = np.clip(np.array(colour) + rng.integers(-25, 25, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(tmp_path / f"{i}.png")
        split = "train" if i < 40 else "val"
        captions = [f"{name} field", f"a {name} area"]
        entries.append({"filename": f"{i}.png", "split": split, "captions": captions, "scene": name})
    (tmp_path / "set.json").write_text(json.dumps({"images": entries}))
    return load_pairs(tmp_path / "set.json")


CFG = TrainConfig(
    epochs=6,
    batch=8,
    members=2,
    branch_dim=6,
    dim=8,
    width=16,
    heads=2,
    views=2,
    learning_rate=1e-2,
    average=0.5,
    bias_texts=0,
    dropout=0.0,
)


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


@pytest.mark.parametrize("member", [0, 1])
def test_interrupted_and_resumed_ends_bit_equal(pairs: PairSet, tmp_path: Path, member: int) -> None:
    def stop(epoch: Epoch) -> None:
        if (epoch.member, epoch.number) == (member, 2):
            raise KeyboardInterrupt

    cache, backbone = tmp_path / "cache", TinyBackbone()
    train(pairs, backbone, tmp_path / "whole", CFG, cache=cache)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        train(pairs, backbone, tmp_path / "cut", CFG, cache=cache, on_epoch=stop)  # type: ignore[arg-type]
    train(pairs, backbone, tmp_path / "cut", CFG, cache=cache)  # type: ignore[arg-type]
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


def test_towers_are_released_once_their_features_are_kept(pairs: PairSet, tmp_path: Path) -> None:
    cached, live = TinyBackbone(), TinyBackbone()
    train(pairs, cached, tmp_path / "cached", CFG, cache=tmp_path / "cache")  # type: ignore[arg-type]
    assert cached.released == cached.pictures > 0  # and were not needed again
    train(pairs, live, tmp_path / "live", CFG)  # type: ignore[arg-type]
    assert live.released == -1


def test_a_run_with_other_settings_is_not_resumed(pairs: PairSet, tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(pairs, TinyBackbone(), tmp_path / "out", CFG, cache=tmp_path, on_epoch=stop)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="other settings"):
        train(pairs, TinyBackbone(), tmp_path / "out", TrainConfig(epochs=2), cache=tmp_path)  # type: ignore[arg-type]


def test_the_cache_is_computed_once_and_holds_what_the_tower_says(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    first = image_features(backbone, pairs, tmp_path, 3)  # type: ignore[arg-type]
    count = backbone.pictures
    again = image_features(backbone, pairs, tmp_path, 3)  # type: ignore[arg-type]
    assert backbone.pictures == count + 1  # the probe of the shapes alone
    rows, views = np.array([5, 2, 40]), np.array([2, 0, 1])
    pixels = [np.asarray(Image.open(tmp_path / f"{r}.png"))[None] for r in rows]
    for kept in (first, again):
        got = kept.batch(views, rows)
        for i in range(3):
            digest = pairs.pairs[rows[i]].image.digest()
            truth = backbone.image(view(pixels[i][0], int(views[i]), digest)[None])
            torch.testing.assert_close(got.pooled[i], truth.pooled[0], rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(got.taps[0][i], truth.taps[0][0], rtol=1e-3, atol=1e-3)


def test_an_interrupted_cache_goes_on_and_ends_the_same(pairs: PairSet, tmp_path: Path) -> None:
    class Dies(TinyBackbone):
        def image(self, pixels: np.ndarray) -> Features:
            if self.pictures > 60:
                raise KeyboardInterrupt
            return super().image(pixels)

    with pytest.raises(KeyboardInterrupt):
        image_features(Dies(), pairs, tmp_path / "cut", 4)  # type: ignore[arg-type]
    cut = image_features(TinyBackbone(), pairs, tmp_path / "cut", 4)  # type: ignore[arg-type]
    whole = image_features(TinyBackbone(), pairs, tmp_path / "whole", 4)  # type: ignore[arg-type]
    every = np.arange(len(pairs))
    for v in range(4):
        torch.testing.assert_close(
            cut.batch(every * 0 + v, every).pooled, whole.batch(every * 0 + v, every).pooled, rtol=0, atol=0
        )


def test_two_runs_never_fill_one_cache_at_once(pairs: PairSet, tmp_path: Path) -> None:
    asked = 0

    class Watched(TinyBackbone):
        """While it computes, another run comes by."""

        def image(self, pixels: np.ndarray) -> Features:
            if len(pixels) > 1:
                self._refused(lambda: image_features(TinyBackbone(), pairs, tmp_path, 2))  # type: ignore[arg-type]
            return super().image(pixels)

        def text(self, texts: Any) -> Features:
            self._refused(lambda: text_features(TinyBackbone(), ["a", "b"], tmp_path))  # type: ignore[arg-type]
            return super().text(texts)

        def _refused(self, call: Callable[[], object]) -> None:
            nonlocal asked
            asked += 1
            with pytest.raises(InputError, match=r"another run is computing the same features.*--cache-dir"):
                call()

    image_features(Watched(), pairs, tmp_path, 2)  # type: ignore[arg-type]
    text_features(Watched(), ["a", "b"], tmp_path)  # type: ignore[arg-type]
    assert asked > 2
    locks = [FileLock(found.parent / "filling.lock") for found in tmp_path.rglob("*.npy")]
    for lock in locks:  # what is whole is read without asking
        lock.acquire(timeout=0)
        image_features(TinyBackbone(), pairs, tmp_path, 2)  # type: ignore[arg-type]
        text_features(TinyBackbone(), ["a", "b"], tmp_path)  # type: ignore[arg-type]
        lock.release()


def test_uncached_views_are_what_the_cache_holds(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    rows, views = np.array([3, 0, 5, 2, 1]), np.array([0, 3, 1, 2, 1])
    live = UncachedImages(backbone, pairs).batch(views, rows)  # type: ignore[arg-type]
    kept = image_features(backbone, pairs, tmp_path, 4).batch(views, rows)  # type: ignore[arg-type]
    torch.testing.assert_close(live.pooled, kept.pooled, rtol=1e-3, atol=1e-3)
    for tap, again in zip(live.taps, kept.taps, strict=True):
        torch.testing.assert_close(tap, again, rtol=1e-3, atol=1e-3)


def test_equal_texts_are_one_row_and_words_come_back_as_they_were(tmp_path: Path) -> None:
    texts, backbone = ["b", "a lake", "b", "long text"], TinyBackbone()
    for _ in range(2):  # computed, then read
        kept = text_features(backbone, texts, tmp_path)  # type: ignore[arg-type]
        rows = kept.rows(texts)
        assert rows[0] == rows[2]
        got, truth = kept.batch(rows), backbone.text(texts)
        torch.testing.assert_close(got.pooled, truth.pooled)
        assert got.mask is not None
        assert truth.mask is not None
        assert torch.equal(got.mask, truth.mask)
        torch.testing.assert_close(got.taps[0], truth.taps[0] * truth.mask[..., None])


def test_interrupted_text_features_go_on_and_end_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(TinyBackbone):
        calls = 0

        def text(self, texts: Any) -> Features:
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().text(texts)

    monkeypatch.setattr("geocmer.training.feature_cache._BLOCK_TEXTS", 2)
    texts = ["one", "two", "three", "four", "five", "six", "seven"]
    with pytest.raises(KeyboardInterrupt):
        text_features(Dies(), texts, tmp_path / "cut")  # type: ignore[arg-type]
    cut, whole = (text_features(TinyBackbone(), texts, tmp_path / name) for name in ("cut", "whole"))  # type: ignore[arg-type]
    assert (cut.tokens == whole.tokens).all()
    assert (cut.pooled == whole.pooled).all()


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
    losses, cfg = [], replace(CFG, learning_rate=1e-3)
    for cache in (tmp_path / "cache", None):
        seen: list[Epoch] = []
        train(pairs, Dim(), tmp_path / str(cache is None), cfg, cache=cache, on_epoch=seen.append)  # type: ignore[arg-type]
        losses.append([e.loss for e in seen])
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_measure_is_recall_of_the_cosines(pairs: PairSet, tmp_path: Path) -> None:
    backbone = TinyBackbone()
    adapter = train(pairs, backbone, tmp_path / "out", CFG, cache=tmp_path)  # type: ignore[arg-type]
    val = pairs.split("val")
    texts, owner = val.captions()
    images = image_features(backbone, val, tmp_path, 1)  # type: ignore[arg-type]
    kept = text_features(backbone, texts, tmp_path)  # type: ignore[arg-type]
    got = measure(adapter, images, kept, kept.rows(texts), owner, backbone.device)
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
    cfg = replace(CFG, epochs=12, weights=(3.0, 1.0), bias_texts=16)
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
