"""What methods and data sets are called in tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from mednext.config.benchmarks import load_datasets, load_methods

FAMILY = {"classification": "MedNeXt", "segmentation": "MedUNeXt"}
ABLATIONS = ("7", "8")
"""The tables whose rows are variants of one network."""
NOT_PRINTED = {"mednext_nc": "normalised LAFFN", "medunext_nc": "normalised LAFFN"}
"""Variants of this project, which the paper does not have."""


def display_name(slug: str) -> str:
    """Name of a method or data set for readers: as the paper prints it, without its citation.

    An ablation is named after its network and its modules; a custom method, a custom data set or an
    unknown slug by itself.

    >>> [display_name(s) for s in ("resnet18", "mednext_sa_ffn", "mednext_nc", "acdc", "my_net")]
    ['ResNet18', 'MedNeXt (SA+FFN)', 'MedNeXt (normalised LAFFN)', 'ACDC', 'my_net']
    """
    if slug in load_datasets():
        return load_datasets()[slug].name
    spec = load_methods().get(slug)
    if spec is None:
        return slug
    printed = {n: re.sub(r" (\[\d+\]|\(Ours\))$", "", name) for n, name in spec.printed.items()}
    whole = [name for table, name in printed.items() if table not in ABLATIONS]
    if whole:
        return whole[-1]
    modules = next(iter(printed.values()), NOT_PRINTED.get(slug))
    return f"{FAMILY[spec.task]} ({modules})" if modules else slug


@cache
def _slugs() -> re.Pattern[str]:
    """Any slug of a method or a data set, but not as a part of a longer word or a path."""
    slugs = sorted({*load_datasets(), *load_methods()}, key=len, reverse=True)
    return re.compile(rf"(?<![\w/.-])({'|'.join(map(re.escape, slugs))})(?![\w/-]|\.\w)")


def with_names(text: str) -> str:
    """``text`` with names for the slugs of methods and data sets in it.

    >>> with_names("seeds of mednext_nc, resnet18; see runs/acdc/unet")
    'seeds of MedNeXt (normalised LAFFN), ResNet18; see runs/acdc/unet'
    """
    return _slugs().sub(lambda found: display_name(found[0]), text)


def class_names(dataset: str, slugs: Iterable[str]) -> list[str]:
    """Names of classes or organs for readers; an unknown slug by itself.

    >>> class_names("sars_cov2_ct", ["normal", "covid19"])
    ['Normal', 'COVID-19']
    """
    spec = load_datasets().get(dataset)
    names = {c.slug: c.name for c in spec.classes} if spec else {}
    return [names.get(slug, slug) for slug in slugs]
