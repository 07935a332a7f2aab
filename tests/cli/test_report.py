"""`geocmer report`: which page is written for what, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from geocmer_cli.report import report
from synthetic import filled, tile

from geocmer.errors import InputError, StoreError


def test_a_store_and_a_run_get_a_page_of_their_own(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", [tile(0, category="forest")], None)
    report(Path(store.path), tmp_path / "store.html")
    assert "Scenes" in (tmp_path / "store.html").read_text()
    run = tmp_path / "run <b>"
    run.mkdir()
    epochs = [
        {"epoch": n, "loss": 2.0 - n / 4, "best": n == 1, "mR": 20.0 + n % 2, "i2t": [1, 2, 3], "t2i": [4, 5, 6.5]}
        for n in range(3)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in epochs))
    (run / "README.md").write_text("# Card\n\nTrained on <i>pairs</i>.\n")
    report(run, tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text()
    assert "epoch 2 is the best" in page
    assert "4 / 5 / 6.5" in page
    assert "Trained on &lt;i&gt;pairs" in page
    assert "<b>" not in page
    assert "data:image/png;base64," in page


def test_a_run_of_several_members_shows_each_and_all_together(tmp_path: Path) -> None:
    """What `geocmer train` leaves unless told otherwise; the third has not begun."""
    epoch = {"epoch": 0, "loss": 2.0, "best": True, "mR": 20.0, "i2t": [1, 2, 3], "t2i": [4, 5, 6.5]}
    for member, lines in enumerate([[epoch], [epoch, epoch | {"epoch": 1, "mR": 31.0}], []]):
        (tmp_path / f"member-{member}").mkdir()
        record = "".join(json.dumps(one) + "\n" for one in lines)
        (tmp_path / f"member-{member}" / "metrics.jsonl").write_text(record)
    report(tmp_path, tmp_path / "unfinished.html")
    page = (tmp_path / "unfinished.html").read_text()
    assert "1 epochs of member-0" in page
    assert "2 epochs of member-1, of which epoch 2 is the best" in page
    assert page.count("data:image/png;base64,") == 2
    assert "together" not in page
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"members": 3, "mR": 44.5}) + "\n")
    report(tmp_path, tmp_path / "finished.html")
    assert "All members together" in (tmp_path / "finished.html").read_text()
    assert "44.5" in (tmp_path / "finished.html").read_text()


def test_what_cannot_be_reported_on_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html"):
        report(tmp_path, tmp_path / "report.pdf")
    with pytest.raises(StoreError):
        report(tmp_path / "none", tmp_path / "report.html")
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match="no epoch"):
        report(run, tmp_path / "report.html")
    (run / "metrics.jsonl").write_text('{"epoch": ')
    with pytest.raises(InputError, match="not the record of a training run"):
        report(run, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
