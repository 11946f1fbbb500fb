# results/FINDINGS.md, the README's main results, and the CSVs, tables and charts behind them, from the
# exported runs of a profile alone: the ordinary rules without data, weights or torch. What was trained
# below results/ is neither read nor written. make findings
from glob import glob

from mednext.config.questions import load_questions
from mednext.layout import move_results
from mednext.report.findings.second_wave import elsewhere
from mednext.report.findings.write import CHARTS
from snakemake.utils import min_version

min_version("9.25")
move_results("results/findings")
FROM_EXPORT = True
SECOND_WAVE = sorted(glob("results/reference/wave2_*/runs/*/*/*/*/*"))
SERVED = [
    part
    for part in elsewhere(load_questions().parts.values())
    if glob(f"results/reference/{part}/runs/*/*/*/*/*")
]


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


# Who is served worse by the weights of the second wave (part F).
rule served:
    input:
        lambda wildcards: glob(f"results/reference/{wildcards.part}/runs/*/*/*/*/*"),
    output:
        f"results/findings/{{part}}/subgroups.csv",
    log:
        f"{LOGS}/served.{{part}}.log",
    wildcard_constraints:
        part="wave2_[a-z]",
    conda:
        "../environment.yml"
    params:
        code=folder_hash(
            "metrics",
            "analysis/cases.py",
            "analysis/slices.py",
            "analysis/subgroups.py",
        ),
        options=lambda wildcards: f"results/reference/{wildcards.part} --configfile config/{wildcards.part}.yaml",
    shell:
        "(python -m mednext results import --as-recorded {params.options} && "
        "python -m mednext results subgroups --runs {params.options}) 2>&1 | tee {log:q}"


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
        [f"results/findings/{part}/subgroups.csv" for part in SERVED],
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
