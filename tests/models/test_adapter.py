"""The side branch: identity when untrained, exact zeros for background, round trips, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from geocmer.errors import ModelError
from geocmer.models.adapter import Adapter, FocusLayer
from geocmer.models.adapter_config import AdapterConfig
from geocmer.models.backbone import Features

CFG = AdapterConfig(
    "some",
    "f" * 32,
    image_channels=12,
    text_channels=8,
    tap_channels=(6, 10),
    text_tap_channels=(8, 8),
    dim=12,
    width=16,
    heads=4,
)


def _features(n: int = 3) -> Features:
    torch.manual_seed(1)
    return Features(torch.randn(n, 12), (torch.randn(n, 9, 6), torch.randn(n, 4, 10)))


def _backbone(fingerprint: str = "f" * 32) -> Any:
    return SimpleNamespace(spec="some", fingerprint=fingerprint, device=torch.device("cpu"))


def test_an_untrained_adapter_returns_the_backbones_own_embedding() -> None:
    features = _features()
    got = Adapter(CFG).eval().image(features)
    torch.testing.assert_close(got, torch.nn.functional.normalize(features.pooled, dim=-1))


def test_background_tokens_weigh_exactly_zero_and_heads_sum_to_one_or_nothing() -> None:
    torch.manual_seed(0)
    layer = FocusLayer(6, 16, 4)
    pooled, weights = layer(torch.randn(5, 50, 6), torch.randn(5, 16))
    assert pooled.shape == (5, 16)
    assert weights.shape == (5, 4, 50)
    assert (weights >= 0).all()
    assert (weights == 0).float().mean() > 0.2
    sums = weights.sum(-1)
    assert ((sums - 1).abs() < 1e-5).logical_or(sums == 0).all()


def test_a_background_token_may_change_without_changing_the_result() -> None:
    torch.manual_seed(0)
    layer = FocusLayer(6, 16, 1)
    tokens, state = torch.randn(1, 30, 6), torch.randn(1, 16)
    before, weights = layer(tokens, state)
    ignored = int((weights[0, 0] == 0).nonzero()[0])
    changed = tokens.clone()
    changed[0, ignored] = tokens[0, ignored] * 1.0001
    torch.testing.assert_close(layer(changed, state)[0], before, rtol=0, atol=0)


def test_round_trip_keeps_the_vectors(tmp_path: Path) -> None:
    adapter = Adapter(CFG).eval()
    branch: Any = adapter.image_branches[0]
    torch.nn.init.normal_(branch.up.weight)
    adapter.save(tmp_path)
    again = Adapter.load(tmp_path, _backbone())
    assert again.cfg == CFG
    torch.testing.assert_close(
        again.image(_features()), adapter.image(_features()), rtol=0, atol=2e-3
    )  # stored in float16
    assert not list(tmp_path.glob(".*"))


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    Adapter(CFG).save(tmp_path)
    with pytest.raises(ModelError, match="belongs to backbone 'some'"):
        Adapter.load(tmp_path, _backbone("0" * 32))


def test_missing_and_damaged_adapters_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        Adapter.load(tmp_path, _backbone())
    Adapter(CFG).save(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        Adapter.load(tmp_path, _backbone())
    (tmp_path / "config.json").write_text(json.dumps({"tap_channels": []}))
    with pytest.raises(ModelError, match="no valid config"):
        Adapter.load(tmp_path, _backbone())


def _text(n: int = 8, words: int = 5) -> Features:
    torch.manual_seed(2)
    lengths = torch.arange(n) % words + 1
    return Features(
        torch.randn(n, 8), tuple(torch.randn(n, words, 8) for _ in range(2)), torch.arange(words) < lengths[:, None]
    )


def _trained(cfg: AdapterConfig = CFG) -> Adapter:
    torch.manual_seed(3)
    adapter = Adapter(cfg).eval()
    for branch in (*adapter.image_branches, *adapter.text_branches):
        torch.nn.init.normal_(branch.up.weight)
    return adapter


def test_a_cosine_is_the_mean_of_the_members_cosines() -> None:
    adapter = _trained(replace(CFG, members=2))
    images, texts = (vectors.detach().numpy() for vectors in (adapter.image(_features()), adapter.text(_text())))
    alone = [
        (branch(_features())[0] @ word(_text())[0].T).detach().numpy()
        for branch, word in zip(adapter.image_branches, adapter.text_branches, strict=True)
    ]
    np.testing.assert_allclose(images @ texts.T, (alone[0] + alone[1]) / 2, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-6)
    assert all(weights.shape[1] == 2 * CFG.heads for weights in adapter.focus_maps(_features()))


def test_a_projected_adapter_is_its_vectors_on_the_basis(tmp_path: Path) -> None:
    adapter = _trained(replace(CFG, members=2, branch_dim=12, dim=24))
    basis = torch.linalg.qr(torch.randn(24, 5))[0]
    short = adapter.with_basis(basis).eval()
    expected = adapter.image(_features()).detach().numpy() @ basis.numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(short.image(_features()).detach().numpy(), expected, atol=1e-6)
    short.save(tmp_path)
    again = Adapter.load(tmp_path, _backbone())
    assert (again.cfg.dim, again.cfg.member_dim) == (5, 12)
    torch.testing.assert_close(again.text(_text()), short.text(_text()), rtol=0, atol=3e-3)


def test_padding_never_changes_a_text() -> None:
    n = 8
    adapter, short = _trained(), _text(n)
    rubbish = tuple(torch.cat([tap, 100 * torch.randn(n, 7, 8)], 1) for tap in short.taps)
    assert short.mask is not None
    padded = Features(short.pooled, rubbish, torch.cat([short.mask, torch.zeros(n, 7, dtype=torch.bool)], 1))
    torch.testing.assert_close(adapter.text(padded), adapter.text(short))


def test_every_word_counts() -> None:
    adapter, text = _trained(), _text()
    changed = Features(text.pooled, tuple(tap + torch.randn_like(tap) for tap in text.taps), text.mask)
    assert not torch.allclose(adapter.text(changed), adapter.text(text))


def test_token_dropout_hides_tokens_in_training_alone() -> None:
    torch.manual_seed(0)
    layer = FocusLayer(6, 16, 4, token_dropout=0.5)
    tokens, state = torch.randn(3, 200, 6), torch.randn(3, 16)
    seen, hidden = layer.eval()(tokens, state)[1] > 0, layer.train()(tokens, state)[1] > 0
    assert not (hidden & ~seen).any()
    assert hidden.sum() / seen.sum() == pytest.approx(0.5, abs=0.1)


def test_every_parameter_learns() -> None:
    adapter = _trained().train()
    loss = (adapter.image(_features(8)) * adapter.text(_text())).sum() * adapter.log_scale
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    assert [name for name, p in adapter.named_parameters() if p.grad is None or not p.grad.abs().max()] == []


def test_image_tokens_that_are_masked_weigh_nothing_and_may_hold_anything() -> None:
    features = _features()
    torch.manual_seed(0)
    adapter = Adapter(CFG).eval()
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    masks = (torch.arange(9).repeat(3, 1) < torch.tensor([[9], [5], [2]]), torch.ones(3, 4, dtype=torch.bool))
    masked = replace(features, image_masks=masks)
    maps = adapter.focus_maps(masked)
    assert (maps[0].transpose(1, 2)[~masks[0]] == 0).all()
    assert (maps[0].transpose(1, 2)[masks[0]] > 0).any()
    changed = features.taps[0].clone()
    changed[~masks[0]] = 99.0
    other = replace(masked, taps=(changed, features.taps[1]))
    assert torch.equal(adapter.image(masked), adapter.image(other))
    assert torch.equal(adapter.image(masked)[0], adapter.image(features)[0])  # nothing of the first is masked
    assert not torch.equal(adapter.image(masked)[1], adapter.image(features)[1])


def test_a_bias_is_kept_with_the_adapter_and_leaves_the_scaled_cosines_to_it(tmp_path: Path) -> None:
    features = _features(20)
    texts = Features(torch.randn(6, 8), (torch.randn(6, 5, 8), torch.randn(6, 5, 8)))
    torch.manual_seed(0)
    plain = Adapter(CFG).eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    plain.log_scale.data.fill_(2.5)
    images, bank = plain.image(features), plain.text(texts)
    none = plain.with_bias(bank, images, 0.0, 10.0).eval()
    assert none.cfg.dim == 13
    logits = plain.log_scale.exp() * images @ bank.T
    torch.testing.assert_close(none.log_scale.exp() * none.image(features) @ none.text(texts).T, logits)
    biased = plain.with_bias(bank, images, 0.1, 10.0).eval()
    scores = biased.image(features) @ biased.text(texts).T
    taken = 0.1 * (torch.exp(10 * images @ bank.T).mean(1).log() / 10)[:, None]
    assert torch.equal(scores.argmax(0), (images @ bank.T - taken).argmax(0))
    assert not torch.equal(scores.argsort(0), (images @ bank.T).argsort(0))
    biased.save(tmp_path)
    again = Adapter.load(tmp_path, _backbone())
    torch.testing.assert_close(again.image(features), biased.image(features), rtol=0, atol=2e-3)
    torch.testing.assert_close(again.text(texts).norm(dim=-1), torch.ones(6))
