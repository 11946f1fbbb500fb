# Table of contents of the benchmark. Without --configfile it runs config/demo.yaml alone; with it,
# the given file alone: configuration never merges.
from snakemake.utils import min_version

min_version("9.25")

FROM_EXPORT = False  # workflow/findings.smk: of exported runs alone


# On a cluster these small jobs run where snakemake itself runs.
localrules:
    all,
    datasets_table,
    audit,
    tables,
    figures,
    page,
    custom,
    crate,
    gate,


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/custom.smk"
include: "workflow/rules/crate.smk"
include: "workflow/rules/gate.smk"


rule all:
    default_target: True
    input:
        rules.page.output,
        rules.tables.output,
        rules.figures.output,
        rules.datasets_table.output,
        rules.leakage_report.output,
        rules.comparisons.output,
        rules.probes.output,
        rules.signal.output if med_runs else [],
        rules.audit.output,
        rules.crate.output,
