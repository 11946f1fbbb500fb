"""What the answers of the second wave cannot say, part by part."""

from __future__ import annotations

_LITERAL = (
    "LAFFN as printed is read literally, and that branch adds next to nothing (*Is there "
    "anything for LAFFN to contribute?* of FINDINGS): what is said of it does not hold for "
    "another reading of the formula. (SEM+SDFFN) is without LAFFN."
)
_OUTSIDE = (
    "The outside set is small, and its classes are not quite those of the training set "
    "(docs/conditions.md). Where both scores lie near chance or below it, a difference between "
    "them says little."
)
_CORRUPTED = (
    "The kinds of corruption were chosen, not drawn: the interval does not speak of others. On "
    "small images the same blur is stronger."
)
LIMITS = {
    "A": (
        "Test images and the number of training images are the same on both sides; the first "
        "also trains on other images of the test images' groups, on Monkeypox augmented copies "
        "of the same photograph. The number of different groups in train is not held equal "
        "(with overlap it is smaller on SARS-COV2, larger on Monkeypox): variety is part of the "
        "difference. Only images that have such a group are tested: the answer speaks of them, "
        "not of single ones."
    ),
    "B": (
        "The training sets of two folds share most of their images, so that trainings are more "
        f"alike than independent ones: the intervals may be too narrow. {_LITERAL}"
    ),
    "C": (
        "The split is that of the first wave, with its leaks; two seeds show large differences "
        "only, and the interval of two is trusted only where trainings differ little. More "
        "epochs are another schedule of the learning rate, too, not only longer training. The "
        "difference after few epochs is taken as known, and its first seeds are in both. A method "
        "whose training loss is still high was not trained to its end after more epochs either."
    ),
    "D": (
        "Few patients in train and test; a perfect mask of this size does not reach 100 % "
        "(Table 6 of FINDINGS); the last epochs of one network lie points apart between seeds, "
        f"which the mean of the last weights evens out. {_LITERAL}"
    ),
    "FA": (
        f"Both networks were trained without relatives of their test images. {_OUTSIDE} "
        f"{_CORRUPTED}"
    ),
    "FB": (
        "All folds of a seed are tested on the same outside images, and their training sets "
        f"share most of their images. {_OUTSIDE} Of LAFFN the same holds as in B."
    ),
    "FD": f"Few patients. {_CORRUPTED}",
}
"""For FINDINGS.md."""

_NEAR_CHANCE = "where both are near chance or below it, a difference says little"
BRIEF = {
    "A": "of images that have relatives, on Monkeypox copies of one photograph",
    "B": "folds share training images; LAFFN as printed adds next to nothing, judged as such",
    "C": "one split, with its leaks; two seeds",
    "D": "few patients; LAFFN as in B",
    "FA": f"{_NEAR_CHANCE}; corruptions were chosen, not drawn",
    "FB": f"{_NEAR_CHANCE}; LAFFN as in B",
    "FD": "few patients; corruptions were chosen, not drawn",
}
"""The same for the README, which has no room for more."""
