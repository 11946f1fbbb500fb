"""The committed runs of profile 'reduced' are still runs of this code and of this profile."""

from __future__ import annotations

from pathlib import Path

from mednext.config import RunConfig, load_profile
from mednext.provenance import code_hash
from mednext.results import CodeRow, read_rows
from mednext.runs.export import as_resolved, exported_runs

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results/reference/reduced"
CORRECTED = {"transunet", "r50_vit", "mt_unet"}
"""Networks made equal to their sources since: their runs were trained anew, not carried over."""


def test_no_key_and_no_line_of_code_has_orphaned_a_committed_run() -> None:
    """A changed loss, reader or layer means cells trained again ('results carry'); anything else
    that changes a hash is a fault.
    """
    profile = load_profile(ROOT / "config/reduced.yaml")
    runs = exported_runs(REFERENCE, profile)
    assert len(runs) == 78
    carried = {row.run: row for row in read_rows(REFERENCE / "code.csv", CodeRow)}
    for run in runs:
        stored, resolved = RunConfig.model_validate(run.record.config), as_resolved(run, profile)
        assert resolved is not None
        assert run.record.config_hash == stored.config_hash == resolved.config_hash
        assert stored.training_hash == resolved.training_hash
        assert code_hash(resolved) == run.record.code_hash
        assert (run.name in carried) == (stored.method not in CORRECTED)


def test_cells_of_ten_families_were_trained_by_both_codes_on_one_machine() -> None:
    again = [r for r in read_rows(REFERENCE / "code.csv", CodeRow) if r.status == "rerun"]
    methods = {row.run.split("/")[2] for row in again}
    assert len(again) >= 12 and len({row.cpu for row in again}) == 1
    assert {"mednext", "mednext_nc", "resnet18", "vit", "swin_v2", "patch_cnn"} <= methods
    assert {"mlp_mixer", "medunext", "unet", "attn_unet"} <= methods
    for row in again:
        assert row.weights_old == row.weights_new and row.cases_old == row.cases_new
        assert row.old_commit != row.new_commit and row.code_hash_old != row.code_hash_new
