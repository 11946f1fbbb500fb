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
ORIENTATIONS = {"disease": "disease", "non_disease": "no disease"}
"""What the class is called that a metric takes as positive, whatever the data set."""


def display_name(slug: str) -> str:
    """Name of a method or data set for readers: as the paper prints it, without its citation.

    An ablation is named after its network and its modules; a custom method, a custom data set or an
    unknown slug by itself.

    >>> [display_name(s) for s in ("resnet18", "mednext_sa_ffn", "mednext_nc", "acdc", "my_net")]
    ['ResNet18', 'MedNeXt (SA+FFN)', 'MedNeXt (normalised LAFFN)', 'ACDC', 'my_net']
    """
    if slug in load_datasets():
        return load_datasets()[slug].name
    methods = load_methods()
    spec = methods.get(slug) or next((s for s in methods.values() if slug in s.aliases), None)
    if spec is None:
        return slug
    printed = {n: without_citation(name) for n, name in spec.printed.items()}
    whole = [name for table, name in printed.items() if table not in ABLATIONS]
    if whole:
        return whole[-1]
    modules = next(iter(printed.values()), NOT_PRINTED.get(slug))
    return f"{FAMILY[spec.task]} ({modules})" if modules else slug


def without_citation(name: str) -> str:
    """What a row of a paper's table is called, without its reference or "(Ours)" at the end.

    >>> without_citation("ResNet18 [24]"), without_citation("MedNeXt (Ours)")
    ('ResNet18', 'MedNeXt')
    """
    return re.sub(r" (\[\d+\]|\(Ours\))$", "", name)


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


def words(slug: str) -> str:
    """A name without a printed form (a protocol, a selection, a metric) as words.

    >>> words("best_val"), words("non_disease")
    ('best val', 'no disease')
    """
    return ORIENTATIONS.get(slug, slug.replace("_", " "))


def class_names(dataset: str, slugs: Iterable[str]) -> list[str]:
    """Names of classes or organs for readers; an unknown slug by itself.

    >>> class_names("sars_cov2_ct", ["normal", "covid19"])
    ['Normal', 'COVID-19']
    """
    spec = load_datasets().get(dataset)
    names = {c.slug: c.name for c in spec.classes} if spec else {}
    return [names.get(slug, slug) for slug in slugs]


def target_name(dataset: str, target: str | None) -> str:
    """What a metric is about, for readers: an organ, a class, or the class that is taken as
    positive; ``mean`` and the unknown by themselves.

    >>> target_name("sars_cov2_ct", "non_disease"), target_name("acdc", "rv")
    ('Normal', 'right ventricle')
    """
    spec = load_datasets().get(dataset)
    for klass in spec.classes if spec else ():
        view = {True: "disease", False: "non_disease", None: klass.slug}[klass.disease]
        if target in (view, klass.slug):
            return klass.name
    return target or ""
