# results/FINDINGS.md, the README's main results, and the CSVs, tables and charts behind them, from the
# exported runs of a profile alone: the ordinary rules without data, weights or torch. What was trained
# below results/ is neither read nor written. make findings
from glob import glob

from mednext.layout import move_results
from mednext.report.findings.write import CHARTS
from snakemake.utils import min_version

min_version("9.25")
move_results("results/findings")
FROM_EXPORT = True
SECOND_WAVE = sorted(glob("results/reference/wave2_*/runs/*/*/*/*/*"))


include: "rules/common.smk"
include: "rules/export.smk"
include: "rules/analysis.smk"
include: "rules/audit.smk"
include: "rules/tables.smk"


rule contrasts:
    input:
        SECOND_WAVE,
        "benchmarks/wave2.yaml",
    output:
        f"{RESULTS}/contrasts.csv",
    log:
        f"{LOGS}/contrasts.log",
    conda:
        "../environment.yml"
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/contrasts.py"),
    shell:
        "python -m mednext results contrasts --out {output} 2>&1 | tee {log:q}"


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
        rules.contrasts.output if SECOND_WAVE else [],
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
