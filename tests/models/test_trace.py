"""The graphs behind Figs. 1-5: parameters that add up, edges by hand, and that changes show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mednext.architecture import Architecture, Node, read_architecture, write_architecture
from mednext.errors import UserError
from mednext.models.blocks import LAFFN, SDFFN, SEM, MEDBlock
from mednext.models.describe import _instances, _network, describe, panel
from mednext.models.trace import condense, input_shape, trace


def never(name: str, module: nn.Module) -> bool:
    return False


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return describe()


def ops(nodes: list[Node] | tuple[Node, ...]) -> list[str]:
    return [node.op for node in nodes]


def test_every_panel_of_the_captions_is_there(architecture: Architecture) -> None:
    letters = {n: "".join(p.letter for p in architecture.of(n)) for n in range(1, 6)}
    assert letters == {1: "ABCDE", 2: "ABCD", 3: "", 4: "ABC", 5: ""}
    assert [len(architecture.of(n)) for n in (3, 5)] == [1, 1]


def test_parameters_add_up(architecture: Architecture) -> None:
    for drawn in architecture.panels:
        assert sum(node.params for node in drawn.nodes) == drawn.params
    totals = {p.title: p.params for p in architecture.panels}
    # Tables 2 and 6 print 10.72 M and 39.85 M; torchvision's ResNet50 has 25557032.
    assert round(totals["MedNeXt"] / 1e6, 2) == 10.72
    assert round(totals["MedUNeXt"] / 1e6, 2) == 39.85
    assert totals["ResNet50"] == 25_557_032
    assert totals["Simplified linear attention"] == 0


def test_nodes_read_what_was_made_before_them(architecture: Architecture) -> None:
    for drawn in architecture.panels:
        for place, node in enumerate(drawn.nodes):
            assert node.id == place
            assert all(source < place for source in node.inputs)
            assert bool(node.inputs) == (node.op != "input")


def test_laffn_is_its_equation(architecture: Architecture) -> None:
    q, k = 1, 2
    nodes = architecture.of(2)[3].nodes
    assert ops(nodes) == ["input", "Conv2d", "Conv2d", "softmax", "softmax", "mul", "Conv2d"]
    over = {nodes[node.inputs[0]].name: node.detail for node in nodes if node.op == "softmax"}
    assert over == {"q": "over channels", "k": "over positions"}
    assert nodes[q].inputs == nodes[k].inputs == (0,)
    assert {nodes[i].op for i in nodes[5].inputs} == {"softmax"}
    assert nodes[6].name == "v" and nodes[6].inputs == (5,)


def test_sem_has_the_kernels_of_the_text(architecture: Architecture) -> None:
    nodes = architecture.of(3)[0].nodes
    depthwise = [n.kernel for n in nodes if n.groups and n.groups > 1]
    assert depthwise == [(1, 3), (3, 1), (1, 7), (7, 1)]
    assert [len(n.inputs) for n in nodes if n.op == "cat"] == [2, 3]


def test_medunext_joins_every_scale(architecture: Architecture) -> None:
    nodes = architecture.of(5)[0].nodes
    joined = [[nodes[i].name for i in n.inputs] for n in nodes if n.op == "cat"]
    assert joined == [
        ["up5", "med5.0"],
        ["up4", "med4.0"],
        ["up3", "enc3"],
        ["up2", "enc2"],
        ["up1", "enc1"],
    ]
    assert [n.repeat for n in nodes if n.op == "MEDBlock"] == [2] * 5


def test_another_architecture_is_another_graph() -> None:
    plain = trace(LAFFN(8), (1, 8, 4, 4), never)
    scaled = trace(LAFFN(8, scale="nc"), (1, 8, 4, 4), never)
    by = [n.detail for n in scaled if n.op == "mul"]
    assert by == ["by 8", "by 16", ""]  # 8 channels, 16 places
    assert ops(plain).count("mul") == 1
    summed = trace(SEM(8, (4, 4), fusion="sum"), (1, 8, 4, 4), never)
    assert ops(summed).count("add") == 2 and ops(summed).count("cat") == 1
    fewer = panel(
        "1C", "x", "x", _network("mednext", depths=(1, 2, 3, 2)), _instances(MEDBlock, "stem")
    )
    assert ops(fewer.nodes).count("MEDBlock") == 8


def test_equal_blocks_and_followers_are_joined_and_others_not() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), *(SDFFN(4) for _ in range(3)),
    )  # fmt: skip
    nodes = condense(trace(net, (1, 3, 8, 8), _instances(SDFFN)))
    assert ops(nodes) == ["input", "Conv2d", "Conv2d", "Conv2d", "SDFFN"]
    assert (nodes[1].then, nodes[1].shape) == (("BatchNorm2d", "ReLU"), (4, 4, 4))
    assert nodes[1].params == 3 * 4 * 9 + 4 + 8
    assert nodes[4].repeat == 3
    assert nodes[4].params == 3 * (2 * 4**2 + 9 * 4 + 3 * 4)


def test_a_branch_point_is_not_joined() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            first = self.a(x)
            return first + self.b(first)

    nodes = condense(trace(Branch(), (1, 2, 4, 4), never))
    assert ops(nodes) == ["input", "Conv2d", "Conv2d", "add"]
    assert nodes[3].inputs == (1, 2)


def test_an_unknown_operation_is_an_error() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft(x).real

    with pytest.raises(UserError, match="no word for"):
        trace(Odd(), (1, 2, 4, 4), never)


def test_the_input_of_a_part() -> None:
    model = _network("medunext")
    part = model.get_submodule("bottleneck.0")
    assert input_shape(model, part, (1, 3, 224, 224)) == (1, 1024, 7, 7)


def test_the_file_keeps_everything(architecture: Architecture, tmp_path: Path) -> None:
    file = tmp_path / "architecture.json"
    write_architecture(file, architecture)
    assert read_architecture(file) == architecture
    file.write_text(file.read_text().replace('"kernel"', '"kernels"', 1))
    with pytest.raises(UserError, match="kernels"):
        read_architecture(file)
    with pytest.raises(UserError, match="missing"):
        read_architecture(tmp_path / "none.json")
