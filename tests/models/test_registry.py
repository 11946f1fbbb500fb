"""Every registered method keeps the same contract."""

from __future__ import annotations

import csv

import pytest
import timm
import torch
from torch import nn

from mednext.config import benchmarks_dir, load_methods
from mednext.errors import UserError
from mednext.models import mednext as _registers_in_timm  # noqa: F401
from mednext.models.baselines.nnunet import planned_features
from mednext.models.registry import create_model, gradcam_layer, list_models

PX = 64
SIZE_FREE = {"resnet18", "convnext_t", "unet"}
"""Methods whose parameters do not depend on the image size."""


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def params(method: str, num_classes: int, img_size: int = 224, **options: object) -> int:
    with torch.device("meta"):
        model = create_model(method, num_classes=num_classes, img_size=img_size, **options)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("method", list_models())
def test_shape_and_gradients(method: str, in_chans: int) -> None:
    task = load_methods()[method].task
    model = create_model(method, num_classes=4, in_chans=in_chans, img_size=PX)
    out = model(torch.randn(2, in_chans, PX, PX))
    assert out.shape == ((2, 4) if task == "classification" else (2, 4, PX, PX))
    nn.functional.cross_entropy(out, torch.zeros(2, *out.shape[2:], dtype=torch.long)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} is not used"
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("method", list_models())
def test_takes_96_pixels(method: str) -> None:
    model = create_model(method, num_classes=2, img_size=96).eval()
    with torch.no_grad():
        assert torch.isfinite(model(torch.randn(1, 3, 96, 96))).all()


@pytest.mark.parametrize("method", list_models())
def test_parameters_depend_on_the_size_only_where_they_must(method: str) -> None:
    assert (params(method, 2, 64) == params(method, 2, 224)) == (method in SIZE_FREE)


@pytest.mark.parametrize("method", list_models("classification"))
def test_gradcam_layer_gives_the_last_map(method: str) -> None:
    model = create_model(method, num_classes=2, img_size=PX).eval()
    shapes = []
    gradcam_layer(method, model).register_forward_hook(
        lambda _m, _i, out: shapes.append(tuple(out.shape))
    )
    model(torch.zeros(1, 3, PX, PX))
    assert len(shapes) == 1
    assert len(shapes[0]) == 4 and shapes[0][2:] == (2, 2)


def test_gradcam_of_a_segmenter_is_refused() -> None:
    with pytest.raises(UserError, match="Grad-CAM"):
        gradcam_layer("unet", nn.Identity())


@pytest.mark.parametrize(
    ("method", "num_classes", "millions"),
    [
        ("mednext", 2, 10.72),
        ("medunext", 4, 39.85),
        ("resnet18", 1000, 11.69),
        ("convnext_t", 1000, 28.59),
        ("unet", 4, 31.04),
    ],
)
def test_published_parameter_counts(method: str, num_classes: int, millions: float) -> None:
    assert params(method, num_classes) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(
    ("options", "table7", "table8"),
    [
        ({"attn": None, "enhance": "sem", "ffn": "ffn"}, 12.79, 43.58),
        ({"ffn": None}, None, 22.00 + 10.17),  # printed without the base of the network
        ({"enhance": None}, 5.10, 29.28),
        ({"attn": None}, 8.63, None),
        ({"attn": None, "enhance": "sa", "ffn": "ffn"}, None, 48.25),
    ],
)
def test_ablations_meet_tables_7_and_8(
    options: dict, table7: float | None, table8: float | None
) -> None:
    if table7 is not None:
        assert params("mednext", 2, **options) / 1e6 == pytest.approx(table7, abs=0.01)
    if table8 is not None:
        assert params("medunext", 4, **options) / 1e6 == pytest.approx(table8, abs=0.01)


def test_text_variants_are_options() -> None:
    assert params("mednext", 2, sem_fusion="sum") / 1e6 == pytest.approx(9.33, abs=0.01)
    extra = 8 * (64**2 + 128**2 + 256**2) + 5 * (256 * 512 + 512 * 1024)
    new = (64**2 + 128**2 + 256**2) + 3 * (64 + 128 + 256)  # where pooling had no parameters
    assert params("medunext", 4, down="conv3") - params("medunext", 4) == extra + new
    model = create_model("medunext", num_classes=2, img_size=PX, down="conv3")
    assert model(torch.zeros(1, 3, PX, PX)).shape == (1, 2, PX, PX)


def test_nnunet_plan_follows_the_size() -> None:
    assert planned_features(64) == planned_features(96) == [32, 64, 128, 256, 512]
    assert planned_features(224) == [32, 64, 128, 256, 512, 512]
    assert planned_features(256) == [32, 64, 128, 256, 512, 512, 512]


def test_grey_images_are_repeated_in_medunext() -> None:
    grey = create_model("medunext", num_classes=2, in_chans=1, img_size=PX).eval()
    colour = create_model("medunext", num_classes=2, in_chans=3, img_size=PX).eval()
    colour.load_state_dict(grey.state_dict())
    x = torch.randn(1, 1, PX, PX)
    with torch.no_grad():
        assert torch.equal(grey(x), colour(x.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("method", ["mednext", "medunext", "nnunet"])
def test_sizes_are_checked(method: str) -> None:
    with pytest.raises(UserError, match="multiple of 32"):
        create_model(method, num_classes=2, img_size=100)
    model = create_model(method, num_classes=2, img_size=PX)
    for shape, word in [
        ((1, 3, 96, 96), "height"),
        ((1, 2, PX, PX), "channels"),
        ((3, PX, PX), "dimensions"),
    ]:
        with pytest.raises(UserError, match=word):
            model(torch.zeros(shape))


def test_unet_refuses_odd_sizes() -> None:
    with pytest.raises(UserError, match="multiple of 16"):
        create_model("unet", num_classes=2, img_size=PX)(torch.zeros(1, 3, PX, 40))


def test_unknown_names_are_clear_errors() -> None:
    with pytest.raises(UserError, match=r"(?s)unknown method.*did you mean 'mednext'"):
        create_model("mednxt", num_classes=2)
    with pytest.raises(UserError, match="laffn_scal"):
        create_model("mednext", num_classes=2, laffn_scal="nc")


def test_list_models_by_task() -> None:
    assert list_models("classification") == ["mednext", "resnet18", "convnext_t"]
    assert list_models("segmentation") == ["medunext", "unet", "nnunet"]
    assert set(list_models()) == set(load_methods())


@pytest.mark.parametrize("method", list_models())
def test_printed_names_stand_in_the_tables(method: str) -> None:
    for table, name in load_methods()[method].printed.items():
        path = next((benchmarks_dir() / "reported").glob(f"table{table}_*.csv"))
        with path.open(encoding="utf-8") as file:
            assert name in [row["method"] for row in csv.DictReader(file)]


def test_timm_knows_the_classifier_under_its_own_name() -> None:
    model = timm.create_model("plos_mednext", num_classes=2, img_size=PX, laffn_scale="nc")
    assert model(torch.zeros(1, 3, PX, PX)).shape == (1, 2)
    with pytest.raises(UserError, match="pretrained"):
        timm.create_model("plos_mednext", pretrained=True)
