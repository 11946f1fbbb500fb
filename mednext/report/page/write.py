"""Gather what the page shows, fill the template, and write one file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from mednext.audit.schema import ClaimRow
from mednext.config import Profile, load_datasets, load_methods
from mednext.config.names import ORIENTATIONS, display_name
from mednext.files import write_text
from mednext.layout import results_root
from mednext.report.figures.pareto import latencies
from mednext.report.page.answers import answers, rows_if_made
from mednext.report.page.claims import claims_of
from mednext.report.page.explorer import costs_by_method, curves_of, explorer_rows
from mednext.report.page.figures import condition_figures, leakage_figures, read_figures
from mednext.report.page.listing import (
    audit_listings,
    other_listings,
    speed_listings,
)
from mednext.report.page.pictures import case_sets
from mednext.report.page.provenance import provenance
from mednext.report.page.tables import (
    COST_VERDICTS,
    METRIC_VERDICTS,
    WORDS,
    cost_tallies,
    marks,
    metric_tallies,
    page_table,
)
from mednext.report.tables import read_tables
from mednext.report.verdicts import load_rules
from mednext.report.wording import METRIC_NAMES
from mednext.results import (
    HEADLINE,
    CostRow,
    CurveRow,
    DatasetRow,
    MetricRow,
    R,
    read_rows,
    unconditional,
)
from mednext.templates import html_templates

SCRIPTS = ("core", "tables", "charts", "explorer", "cases", "start")
VENDORED = ("d3", "plot")
"""Libraries in ``templates/page/vendor``, as their packages hold them (see README there)."""


def write_page(profile: Profile, out: Path, partial: bool = False) -> None:
    """Write ``index.html`` below ``out``; it asks no other file and no host for anything.

    Raises:
        UserError: a result file or a figure is missing or malformed, or (unless ``partial``) a run
            of the profile has no result.
    """
    root = results_root(profile.profile)

    def small(name: str, model: type[R]) -> list[R]:
        file = root / name
        return read_rows(file, model) if file.is_file() or not partial else []

    metrics = unconditional(small("metrics.csv", MetricRow))
    tables = read_tables(profile, partial)
    listings = {
        "audit": audit_listings(results_root("audit")),
        "speed": speed_listings(root, results_root("speed")),
        "others": other_listings(root),
    }
    runs, environments = provenance(metrics)
    curves = root / "curves.csv"
    tallies = metric_tallies(tables)
    sets = case_sets(root / "cases")
    costs = small("cost.csv", CostRow)
    names = all_names()
    environment = html_templates("mednext.report", "templates/page")
    scripts = [_source(environment, f"vendor/{name}.min.js") for name in VENDORED]
    scripts.append("".join(_source(environment, f"{name}.js") for name in SCRIPTS))
    page = environment.get_template("index.html.j2").render(
        profile=profile,
        phantom=any(run.source == "phantom" for run in profile.datasets.values()),
        style=Markup(_source(environment, "page.css")),  # noqa: S704  no data in it
        scripts=[Markup(script) for script in scripts],  # noqa: S704  no data in them
        script_hashes=Markup(" ".join(map(_policy, scripts))),  # noqa: S704  digests
        names=names,
        tallies=tallies,
        cost_tallies=cost_tallies(tables),
        verdicts=METRIC_VERDICTS,
        cost_verdicts=COST_VERDICTS,
        words=WORDS,
        rules=load_rules().sentence,
        marks=marks(),
        tables=[page_table(t) for t in tables if t.view == HEADLINE],
        views=[page_table(t) for t in tables if t.view != HEADLINE],
        figures=read_figures(root / "figures", partial),
        leakage_figures=leakage_figures(root / "figures"),
        condition_figures=condition_figures(root / "figures"),
        costs=costs,
        datasets=small("datasets.csv", DatasetRow),
        answers=answers(profile, metrics, results_root("audit"), tallies[-1], runs),
        claims=claims_of(rows_if_made(results_root("audit") / "claims.csv", ClaimRow), tables),
        listings=listings,
        runs=runs,
        environments=environments,
        run_keys={(r["dataset"], r["protocol"], r["method"]) for r in runs},
        sets=sets,
        data={
            "profile": profile.profile,
            "names": names,
            "runs": runs,
            "listings": {x.key: x.data() for group in listings.values() for x in group},
        },
        explorer={
            **explorer_rows(metrics),
            "costs": costs_by_method(costs, latencies(profile)),
            "curves": curves_of(read_rows(curves, CurveRow) if curves.is_file() else []),
        },
    )
    write_text(out / "index.html", page)


def all_names() -> dict[str, str]:
    """What the page calls each class, organ, orientation, metric, data set and method."""
    classes = {c.slug: c.name for spec in load_datasets().values() for c in spec.classes}
    known = {slug: display_name(slug) for slug in (*load_datasets(), *load_methods())}
    return {**classes, **ORIENTATIONS, **METRIC_NAMES, **known}


def _policy(script: str) -> str:
    """What allows a browser to run exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _source(environment: Environment, name: str) -> str:
    """A style sheet or script as it stands; it holds no data, so nothing has to be escaped."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
