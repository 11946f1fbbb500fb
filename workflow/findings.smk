# results/FINDINGS.md, the README's main results, and the CSVs, tables and charts behind them, from the
# exported runs of a profile alone: the ordinary rules without data, weights or torch. What was trained
# below results/ is neither read nor written. make findings
from mednext.layout import move_results
from mednext.report.findings.write import CHARTS
from snakemake.utils import min_version

min_version("9.25")
move_results("results/findings")
FROM_EXPORT = True


include: "rules/common.smk"
include: "rules/export.smk"
include: "rules/analysis.smk"
include: "rules/audit.smk"
include: "rules/tables.smk"


rule charts:
    input:
        rules.metrics.output,
        rules.comparisons.output,
        rules.curves.output,
        f"{AUDIT}/cells.csv",
        small("cost.csv", "datasets.csv"),
        "benchmarks/tables.yaml",
    output:
        expand(f"{RESULTS}/figures/{{chart}}.png", chart=CHARTS),
    log:
        f"{LOGS}/charts.log",
    conda:
        "../environment.yml"
    params:
        code=folder_hash("report"),
        charts=" ".join(CHARTS),
    shell:
        mednext("figures", options="--partial --only {params.charts}")


# No output: what it writes is committed, and never removed before it is made again.
rule findings:
    default_target: True
    input:
        rules.metrics.output,
        rules.comparisons.output,
        rules.differences.output,
        rules.subgroups.output,
        rules.orders.output,
        rules.shared.output,
        rules.train_overlap.output if small("overlap_groups.csv") else [],
        f"{AUDIT}/cells.csv",
        rules.tables.output,
        rules.curves.output,
        rules.charts.output,
        EXPORTED_FILES,
    log:
        f"{LOGS}/findings.log",
    conda:
        "../environment.yml"
    params:
        export=EXPORT,
    shell:
        mednext(
            "results findings", options="--runs {params.export} --summary README.md"
        )
