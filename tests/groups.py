"""Which test files stay with one worker of `make test`, and which come first."""

from __future__ import annotations

GROUPS = {
    "the warm command": ("test_cli.py", "test_qgis.py", "test_streams.py"),
    "open_clip and training, which import for 7 s": (
        "test_baselines.py", "test_backbone.py", "test_calibrate.py", "test_ensemble.py", "test_families.py",
        "test_keeping.py", "test_learning.py", "test_pipeline.py", "test_robustness.py", "test_store_pairs.py",
        "test_weights_file.py",
    ),
    "processes": ("test_faults.py", "test_leases.py", "test_distributed.py", "test_interrupts.py"),
    "LanceDB, which takes 3 s to import": ("test_lancedb.py", "test_opening.py"),
}  # fmt: skip
"""Test files that one worker runs, by what they share: it is made once. So does the folder `web`: server, browser."""
LONG_FILES = (
    "test_ray_cluster.py", "test_notebooks.py", "test_turns.py", "test_openvino_tower.py",
    "test_docs.py", "test_join.py", "test_search_command.py", "test_export.py", "test_doctor.py",
)  # fmt: skip
"""Further test files that take long; a worker that began one of them last would go on alone."""
GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}


def group_of(path: str) -> str:
    """Return what stays with one worker, for the path of a test file: a file, if it shares nothing with others."""
    folder, _, file = path.rpartition("/")
    return "web" if folder.endswith("/web") else GROUP_OF.get(file, path)


def is_long(path: str) -> bool:
    """Whether the group of a test file takes long."""
    return path.rpartition("/")[2] in LONG_FILES or group_of(path) != path
