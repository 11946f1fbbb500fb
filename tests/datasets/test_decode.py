"""Pictures and label maps as users have them; values by hand, or from how the file was made."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from mednext.config import DatasetRun, DatasetSpec, load_datasets
from mednext.config.custom import CustomDataset
from mednext.datasets import pairs
from mednext.datasets.decode import read_label_map, read_picture
from mednext.datasets.labels import class_indices
from mednext.datasets.manifest import list_entries
from mednext.datasets.reader import Files, Volume
from mednext.datasets.scan import left_out, scan
from mednext.datasets.source import resolve_source
from mednext.datasets.volumes import open_nifti, oriented
from mednext.errors import UserError

AFFINE = np.diag([-1, -2, 5, 1])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def files(folder: Path, *names: str) -> Files:
    return Files(folder, list_entries(folder, names))


def pixels(folder: Path, name: str, mode: str = "RGB") -> np.ndarray:
    return np.asarray(read_picture(files(folder, name), name, mode).image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_it_is_shown(folder: Path, orientation: int) -> None:
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    # EXIF 2.32, tag 274: what the stored rows and columns are; here the inverse of each.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(folder / "a.png", exif=exif)
    assert (pixels(folder, "a.png", "L") == upright).all()
    assert (read_label_map(files(folder, "a.png"), "a.png")[0] == upright).all()


def png_of_16_bits(rows: list[list[list[int]]]) -> bytes:
    """A colour PNG that Pillow cannot write, by the specification (ISO 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    lines = b"".join(b"\0" + np.array(row, ">u2").tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_depth_alpha_and_frames(folder: Path) -> None:
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(folder / "deep.png")
    assert pixels(folder, "deep.png", "L").tolist() == [[0, 1, 255]]
    (folder / "colour.png").write_bytes(png_of_16_bits([[[0, 256, 65535]]]))
    found = read_picture(files(folder, "colour.png"), "colour.png", "RGB")
    assert np.asarray(found.image).tolist() == [[[0, 1, 255]]]
    assert found.notes == ("16 bits scaled to 8",)
    Image.fromarray(np.array([[[200, 100, 0, 0], [200, 100, 0, 255]]], np.uint8)).save(
        folder / "alpha.png"
    )
    found = read_picture(files(folder, "alpha.png"), "alpha.png", "RGB")
    assert np.asarray(found.image).tolist() == [[[0, 0, 0], [200, 100, 0]]]
    assert found.notes == ("transparent pixels shown as black",)
    one, two = (Image.new("L", (2, 2), level) for level in (10, 20))
    one.save(folder / "pages.tif", save_all=True, append_images=[two])
    found = read_picture(files(folder, "pages.tif"), "pages.tif", "L")
    assert np.asarray(found.image).max() == 10 and "first of several frames" in found.notes


def test_only_promised_formats_are_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("Ghostscript was asked for")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", started)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    (folder / "a.png").write_bytes(text)
    with pytest.raises(UserError, match="not an image"):
        pixels(folder, "a.png")
    Image.new("L", (4, 4), 9).save(folder / "b.png", format="JPEG")
    assert read_picture(files(folder, "b.png"), "b.png", "L").notes == (
        "JPEG by content, not by suffix",
    )


def test_the_limit_of_pixels_says_how_to_raise_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (12000, 12000)).save(folder / "a.png")
    with pytest.raises(UserError, match="MEDNEXT_MAX_PIXELS=144000000"):
        pixels(folder, "a.png")
    Image.new("L", (10, 10)).save(folder / "b.png")
    monkeypatch.setenv("MEDNEXT_MAX_PIXELS", "99")
    with pytest.raises(UserError, match="at most 99"):
        pixels(folder, "b.png")
    monkeypatch.setenv("MEDNEXT_MAX_PIXELS", "100")
    assert pixels(folder, "b.png", "L").shape == (10, 10)
    monkeypatch.setenv("MEDNEXT_MAX_PIXELS", "1e6")
    with pytest.raises(UserError, match="MEDNEXT_MAX_PIXELS is not a number"):
        pixels(folder, "b.png")


@pytest.mark.parametrize("options", [{"format": "JPEG"}, {"format": "WEBP", "quality": 80}])
def test_a_lossy_label_is_refused(folder: Path, options: dict[str, object]) -> None:
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(folder / "a.png", **options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"label map cannot be used(.|\n)*a.png(.|\n)*lossy"):
        read_label_map(files(folder, "a.png"), "a.png")


def test_labels_in_16_bits_per_colour_would_all_become_0(folder: Path) -> None:
    (folder / "a.png").write_bytes(png_of_16_bits([[[0, 0, 0], [1, 1, 1], [2, 2, 2]]]))
    with pytest.raises(UserError, match=r"label map cannot be used(.|\n)*a.png(.|\n)*16 bits"):
        read_label_map(files(folder, "a.png"), "a.png")


def organs(*originals: int | None) -> DatasetSpec:
    classes = [{"slug": f"k{i}", "name": f"K{i}"} for i in range(len(originals))]
    for klass, value in zip(classes, originals, strict=True):
        klass |= {"original_label": value} if value is not None else {}  # type: ignore[dict-item]
    return CustomDataset.model_validate({"task": "segmentation", "classes": classes}).spec("mine")


def test_label_values_become_classes() -> None:
    def indices(values: list[float], *originals: int | None) -> list[int]:
        return class_indices(np.array(values), organs(*originals), Path("x.nii"))[0].tolist()

    assert indices([0, 255, 0], None, None) == [0, 1, 0]
    assert indices([0, 1.0004, 2], None, None, None) == [0, 1, 2]
    assert indices([9, 0, 3], 0, 3, 9) == [2, 0, 1]
    for values, originals, word in (
        ([0, 255], (None, None, None), "original_label: 255"),
        ([0, -1], (None, None), "export the label with values from 0"),
        ([0, 0.9], (None, None), "not whole numbers"),
        ([0, np.nan], (None, None), "not whole numbers"),
    ):
        with pytest.raises(UserError, match=rf"x.nii(.|\n)*{word}|{word}(.|\n)*x.nii"):
            indices(values, *originals)


def save(folder: Path, name: str, image: nib.Nifti1Image) -> Files:
    (folder / name).write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    return files(folder, name)


def test_a_volume_is_turned_by_its_affine(folder: Path) -> None:
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([1, 2, 5, 1]))
    expected = np.asarray(image.dataobj)[::-1, ::-1]  # from right, front to left, back
    for axes in ("RAS", "LPS", "SAR", "PIL"):
        start = nib.orientations.io_orientation(image.affine)
        turn = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(axes))
        found, spacing, _ = oriented(
            save(folder, "a.nii.gz", image.as_reoriented(turn)), "a.nii.gz"
        )
        assert (np.asarray(found.dataobj) == expected).all() and spacing == (5, 2, 1)


def test_two_axes_colours_and_no_geometry(folder: Path) -> None:
    plane = nib.Nifti1Image(np.zeros((3, 4), np.int16), np.diag([1, 2, 3, 1]))
    assert oriented(save(folder, "a.nii.gz", plane), "a.nii.gz")[0].shape == (3, 4, 1)
    colours = np.zeros((3, 4, 2), dtype=[(c, "u1") for c in "RGB"])
    with pytest.raises(UserError, match=r"b.nii.gz(.|\n)*RGB"):
        open_nifti(save(folder, "b.nii.gz", nib.Nifti1Image(colours, np.eye(4))), "b.nii.gz")
    second = nib.Nifti2Image(np.ones((3, 4, 2), np.int16), np.eye(4))
    assert open_nifti(save(folder, "d.nii.gz", second), "d.nii.gz").shape == (3, 4, 2)
    bare = nib.Nifti1Image(np.zeros((3, 4, 2), np.int16), None)
    content = bytearray(bare.to_bytes())
    content[80:92] = bytes(12)  # pixdim[1:4]
    (folder / "c.nii").write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"does not say where its voxels lie(.|\n)*c.nii"):
        oriented(files(folder, "c.nii"), "c.nii")


def test_a_header_that_claims_more_than_the_memory(folder: Path) -> None:
    content = bytearray(nib.Nifti1Image(np.zeros((3, 4, 2), np.int16), np.eye(4)).to_bytes())
    content[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    (folder / "a.nii.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(UserError, match="voxels"):
        open_nifti(files(folder, "a.nii.gz"), "a.nii.gz")


def test_the_scanner(folder: Path, tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", ".c.png", "._d.png", "x.dcm", "deep/e.tif", ".ipynb/f.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/g.png").touch()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    endings = (".png", ".jpg", ".tif")
    assert scan(folder, endings) == ["a.JPG", "b.png"]
    assert scan(folder, endings, deep=True) == ["a.JPG", "b.png", "deep/e.tif", "link/g.png"]
    assert left_out(folder, ["a.JPG", "b.png"], endings) == {
        "hidden": 3,
        ".dcm": 1,
        "in deep/": 1,
        "link": 1,
    }
    (tmp_path / "elsewhere/h.dcm").touch()
    assert left_out(folder, scan(folder, endings, deep=True), endings) == {"hidden": 3, ".dcm": 2}
    assert scan(folder / "none", endings) == []


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling", "itself", "circle", "not UTF-8"])
def test_what_is_no_plain_file_is_refused_by_name(folder: Path, kind: str) -> None:
    import os

    if kind == "folder":
        (folder / "a.png").mkdir()
    elif kind == "fifo":
        os.mkfifo(folder / "a.png")
    elif kind == "dangling":
        (folder / "a.png").symlink_to(folder / "nowhere")
    elif kind == "itself":
        (folder / "a.png").symlink_to(folder / "a.png")
    elif kind == "circle":
        (folder / "a.png.d").symlink_to(folder)
    else:
        Path(os.fsdecode(bytes(folder) + b"/\xff.png")).touch()
    with pytest.raises(UserError, match=r"file:(.|\n)*png"):
        scan(folder, (".png",), deep=True)


def test_pairs_by_stem_in_one_unicode_form(folder: Path) -> None:
    for part, name in (("images", "caf\u00e9.jpg"), ("labels", "cafe\u0301.png")):
        (folder / part).mkdir()
        (folder / part / name).touch()
    assert len(pairs.list_files(folder, load_datasets()["acdc"])) == 2
    (folder / "images/cafe\u0301.png").touch()
    with pytest.raises(UserError, match="two files have one name"):
        pairs.list_files(folder, load_datasets()["acdc"])
    (folder / "images/cafe\u0301.png").unlink()
    (folder / "labels/more.png").touch()
    with pytest.raises(UserError, match=r"not pairs(.|\n)*labels/more.png alone"):
        pairs.list_files(folder, load_datasets()["acdc"])


def pair(folder: Path, label: nib.Nifti1Image, affine: np.ndarray = AFFINE) -> Volume:
    """What is read of an image with this label."""
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), affine)
    for part, volume in (("images", image), ("labels", label)):
        (folder / part).mkdir(exist_ok=True)
        save(folder, f"{part}/a.nii.gz", volume)
    found = files(folder, "images/a.nii.gz", "labels/a.nii.gz")
    (item,) = pairs.items(found, organs(None, None))
    return pairs.read(item, found, organs(None, None))


def test_a_label_on_another_grid_is_refused_and_one_elsewhere_is_said(folder: Path) -> None:
    label = np.zeros((2, 3, 4), np.uint8)
    assert pair(folder, nib.Nifti1Image(label, AFFINE)).notes == ()
    turned = AFFINE @ np.array([[-1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert pair(folder, nib.Nifti1Image(label, turned)).notes == ("label: axes turned",)
    moved = AFFINE + np.array([[0, 0, 0, 0]] * 2 + [[0, 0, 0, 20], [0, 0, 0, 0]])
    note = "label elsewhere than its image, by the affines"
    assert pair(folder, nib.Nifti1Image(label, moved)).notes == (note,)
    for other, found in (
        (nib.Nifti1Image(label, np.diag([1, 2, 6, 1])), r"label \(1.0, 2.0, 6.0\), image \(1.0"),
        (nib.Nifti1Image(label[:1], AFFINE), r"label \(1, 3, 4\), image \(2, 3, 4\)"),
    ):
        with pytest.raises(UserError, match=rf"labels/a.nii.gz(.|\n)*{found}"):
            pair(folder, other)


def test_what_a_header_says_of_lengths(folder: Path) -> None:
    small = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), AFFINE)
    small.header.set_xyzt_units("micron")
    assert "spacing in microns" in oriented(save(folder, "a.nii.gz", small), "a.nii.gz")[2][0]
    content = bytearray(nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), AFFINE).to_bytes())
    content[280:296] = np.array([-1, 0, 5, 0], "<f4").tobytes()  # srow_x: two axes in one direction
    content[312:328] = bytes(16)  # srow_z: and none in the third
    (folder / "b.nii").write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"does not say where its voxels lie(.|\n)*b.nii"):
        oriented(files(folder, "b.nii"), "b.nii")


def test_an_archive_beside_the_data_is_mentioned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDNEXT_LOCAL", str(folder))
    run = DatasetRun(source="local", methods=("resnet18",), img_size=32, epochs=1, batch_size=1)
    (folder / "archive.zip").touch()
    with pytest.raises(UserError, match=r"but archive.zip(.|\n)*unpack the archive"):
        resolve_source("sars_cov2_ct", run)
    (folder / "sars_cov2_ct").mkdir()
    (folder / "archive.zip").rename(folder / "sars_cov2_ct/SARS.7z")
    with pytest.raises(UserError, match=r"SARS.7z(.|\n)*unpack the archive there"):
        resolve_source("sars_cov2_ct", run)
