"""What goes into the page: listings, contact sheets, printed values, provenance."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mednext.report
from mednext.errors import UserError
from mednext.report.page.explorer import explorer_rows, printed_values
from mednext.report.page.figures import captions_dir, read_figures
from mednext.report.page.listing import read_listing, speed_listings, tidy
from mednext.report.page.pictures import (
    EDGE,
    heat_palette,
    label_palette,
    palette_sheet,
    photo_sheet,
)
from mednext.report.page.provenance import provenance
from mednext.report.page.write import VENDORED

from ..finished_runs import run_of, trained
from .made_up import metric_row, metric_rows


def opened(uri: str) -> Image.Image:
    head, _, body = uri.partition(";base64,")
    assert head in ("data:image/png", "data:image/webp")
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_a_photo_lies_in_its_place_with_its_border_repeated() -> None:
    side, step = 20, 20 + 2 * EDGE
    pictures = np.stack([np.full((side, side), 50 * n, np.uint8) for n in range(5)])
    sheet = np.asarray(opened(photo_sheet(pictures)).convert("L"), dtype=int)
    assert sheet.shape == (2 * step, 3 * step)  # five in three columns
    for n in range(5):
        top, left = n // 3 * step + EDGE, n % 3 * step + EDGE
        tile = sheet[top - 4 : top + side + 4, left - 4 : left + side + 4]
        assert np.abs(tile - 50 * n).max() <= 6, n


def test_colour_photos_stay_coloured() -> None:
    pictures = np.zeros((1, 16, 16, 3), np.uint8)
    pictures[..., 0] = 200
    red, green, blue = np.asarray(opened(photo_sheet(pictures)))[16, 16, :3].tolist()
    assert red > 180 and green < 30 and blue < 30


def test_masks_keep_every_label_and_a_clear_background() -> None:
    mask = np.arange(14, dtype=np.uint8).reshape(1, 2, 7)[:, :, :2]
    image = opened(palette_sheet(mask, label_palette())).convert("RGBA")
    pixels = np.asarray(image)
    assert pixels.shape == (2, 2, 4)
    assert pixels[0, 0].tolist()[3] == 0
    assert pixels[0, 1].tolist() == [0xE6, 0x9F, 0x00, 255]  # Okabe and Ito's orange
    assert len({tuple(label_palette()[k]) for k in range(14)}) == 14


def test_no_heat_is_clear_and_full_heat_opaque() -> None:
    palette = heat_palette()
    assert palette[0, 3] == 0 and palette[255, 3] == 255
    assert (np.diff(palette[:, 3].astype(int)) >= 0).all()


def test_libraries_are_the_files_that_their_table_names() -> None:
    folder = Path(mednext.report.__file__).parent / "templates" / "page" / "vendor"
    table = (folder / "README.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \| `(\S+)` .* `([0-9a-f]{64})` \|$", table, re.MULTILINE)
    assert [row[0] for row in rows] == [f"{name}.min.js" for name in VENDORED]
    for name, _, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert (folder / f"LICENSE.{name.split('.')[0]}").is_file()


def test_rows_columns_and_methods_have_names(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "table,slug,column,note\n7,sa_ffn,auc,as resnet18\n5,unet,kidney_l,in runs/unet\n"
        "7,laffn_sem_sdffn,auc,\n1,sars_cov2_ct/covid19,total,\n"
    )
    listing = read_listing(file, "a", "A", "gone")
    assert listing.columns == ("table", "row", "column", "note")
    assert listing.rows == (
        ("7", "MedNeXt (SA+FFN)", "AUC", "as ResNet18"),
        ("5", "UNet", "Kidney (L) (%)", "in runs/unet"),
        ("7", "MedNeXt", "AUC", ""),
        ("1", "SARS-COV2-CT-Scan: COVID-19", "Total", ""),
    )


def test_choices_and_metrics_are_words_and_a_name_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "dataset,name,protocol,selection,kind,positive,metric\n"
        "acdc,ACDC,grouped_originals,last,next_slice,non_disease,hd95_max_mm\n"
        "synapse,Synapse,grouped_originals,best_val,cue_all,disease,mcc\n"
    )
    listing = read_listing(file, "a", "A", "gone")
    assert listing.note == "protocol: grouped originals."
    assert listing.columns == ("dataset", "selection", "kind", "positive", "metric")
    assert listing.rows == (
        ("ACDC", "last", "successive slices of a scan", "no disease", "HD95, maximum (mm)"),
        ("Synapse", "best val", "all of these", "disease", "MCC"),
    )


def test_a_listing_is_the_file_as_texts(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('name,value\n"x, ""y""",0.30000000000000004\n</script>,\n', encoding="utf-8")
    listing = read_listing(file, "a", "A", "gone")
    assert listing.columns == ("name", "value") and listing.absent is None
    assert listing.rows == (('x, "y"', "0.3"), ("</script>", ""))


def test_what_is_the_same_throughout_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("profile,n,empty\ndemo,1,\ndemo,2,\n")
    listing = read_listing(file, "a", "A", "gone", "A note.")
    assert listing.columns == ("n",) and listing.rows == (("1",), ("2",))
    assert listing.note == "A note. profile: demo."


def test_a_ragged_file_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n1\n")
    with pytest.raises(UserError, match=r"a\.csv"):
        read_listing(file, "a", "A", "gone")


def test_what_is_missing_or_empty_says_why(tmp_path: Path) -> None:
    assert read_listing(tmp_path / "a.csv", "a", "A", "gone").absent == "gone"
    (tmp_path / "a.csv").write_text("a,b\n")
    assert read_listing(tmp_path / "a.csv", "a", "A", "gone").absent == "a.csv holds no rows"
    latency, timed = speed_listings(tmp_path, tmp_path / "speed")
    assert "target 'latency'" in str(latency.absent) and "make bench" in str(timed.absent)
    (tmp_path / "speed").mkdir()
    (tmp_path / "speed" / "hd95.csv").write_text("n,ms\n3,1.5\n")
    assert speed_listings(tmp_path, tmp_path / "speed")[1].rows == (("3", "1.5"),)


@pytest.mark.parametrize(
    ("word", "short"),
    [
        ("0.123456789", "0.123457"),
        ("1e-3", "1e-3"),
        ("12345678", "12345678"),  # a count is not shortened
        ("0.1.2.3.4.5.6.7", "0.1.2.3.4.5.6.7"),
        ("phantom-01234567.8", "phantom-01234567.8"),
        ("1234567.5", "1.23457e+06"),
    ],
)
def test_numbers_are_shortened_to_six_digits(word: str, short: str) -> None:
    assert tidy([word], ["value"]) == (short,)


def test_the_explorer_averages_over_seeds() -> None:
    data = explorer_rows(metric_rows())
    axes = ["classification", "sars_cov2_ct", "paper", "last", "accuracy", "non_disease", ""]
    (row,) = [r for r in data["rows"] if r[:7] == axes]
    assert row[7] == "mednext" and row[8] == pytest.approx(0.985)
    assert row[9] < 0.98 < 0.99 < row[10]
    assert row[11] == [[0, 0.983], [1, 0.985], [2, 0.987]]
    assert sorted(m[4] for m in data["missing"]) == ["convnext_t", "resnet18"]


def test_printed_values_are_the_papers() -> None:
    # read off the paper: Table 2, MedNeXt, accuracy 98.39 %; Table 6, MedUNeXt, Dice of the RV
    found = {tuple(p[:4]): p[4] for p in printed_values()}
    assert found["sars_cov2_ct", "accuracy", None, "mednext"] == pytest.approx(0.9839)
    assert {key[2] for key in found if key[0] == "acdc"} == {"mean", "rv", "myo", "lv"}
    assert not [key for key in found if key[0] is None]


def test_provenance_takes_details_from_the_record_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = trained(
        run_of("classification", profile="made_up"),
        git_commit="0123456789abcdef",
        git_dirty=True,
        machine={"cpu": "a machine"},
        versions={"torch": "9.9"},
    )
    known = metric_row(method=run.method, seed=run.seed)
    other = metric_row(method="resnet18", env_hash="1" * 16)
    runs, environments = provenance([known, known, other])
    assert [r["method"] for r in runs] == ["mednext", "resnet18"]
    assert runs[0]["commit"] == "0123456789 + changes" and runs[0]["epochs"] == "1"
    assert runs[1]["commit"] == "" and runs[1]["config_hash"] == "c" * 16
    assert environments == [
        {"env_hash": "0" * 16, "facts": {"cpu": "a machine", "torch": "9.9"}},
        {"env_hash": "1" * 16, "facts": {}},
    ]


def test_every_figure_has_its_caption_and_a_missing_one_is_an_error(
    drawn: dict[str, Path], tmp_path: Path
) -> None:
    figures = read_figures(drawn["local"] / "figures")
    assert [f.title for f in figures[:9]] == [f"Figure {n}" for n in range(1, 10)]
    captions = {f.stem for f in captions_dir().glob("*.rst") if not f.stem.startswith("table")}
    assert {f.name for f in figures} == captions
    with pytest.raises(UserError, match=r"\.png"):
        read_figures(tmp_path)
    assert all(figure.data is None for figure in read_figures(tmp_path, partial=True))


def test_a_half_finished_sweep_gets_a_page(made_up: Callable[[str], Path], tmp_path: Path) -> None:
    from mednext.report.page import write_page

    from .made_up import make_profile

    root = made_up("local")
    for name in ("metrics.csv", "datasets.csv"):
        (root / name).unlink()
    with pytest.raises(UserError, match=r"metrics\.csv"):
        write_page(make_profile(), tmp_path)
    write_page(make_profile(), tmp_path, partial=True)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "pending" in text and "There are no predictions among the results yet" in text
