"""Networks whose last layer can be exchanged, by timm's names for that."""

from __future__ import annotations

from typing import Any

from torch import nn

from mednext.models.arguments import whole_number


class WithClassifier(nn.Module):
    """A network whose last layer, a linear map or a convolution, has one output per class."""

    classifier = "head"
    """Path of the last layer in the network."""

    @property
    def num_classes(self) -> int:
        """Outputs of the last layer."""
        layer: Any = self.get_classifier()
        return int(layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.get_submodule(self.classifier)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer with ``num_classes`` outputs, as a trained network needs for others.

        It lies where the old one did; its weights are drawn anew.

        Raises:
            UserError: ``num_classes`` is no whole number of at least 1.
        """
        outputs = whole_number(type(self).__name__, "num_classes", num_classes)
        self.set_submodule(self.classifier, _fresh(self.get_classifier(), outputs))


def _fresh(layer: Any, outputs: int) -> nn.Module:
    """A layer as this one, with torch's first weights, for another number of outputs."""
    options = {
        "bias": layer.bias is not None,
        "device": layer.weight.device,
        "dtype": layer.weight.dtype,
    }
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, outputs, **options)
    return nn.Conv2d(
        layer.in_channels, outputs, layer.kernel_size, padding=layer.padding, **options
    )
