# From the counts per case of every run to numbers: metrics, tests, differences, curves.
# In findings.smk: of the exported runs alone.
RUNS_OPTION = f"--runs {EXPORT}" if EXPORT else ""


rule metrics:
    input:
        all_cases,
    output:
        f"{RESULTS}/metrics.csv",
    log:
        f"{LOGS}/metrics.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(120),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/metrics.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results collect", options="{params.runs}")


rule comparisons:
    input:
        all_cases,
    output:
        f"{RESULTS}/comparisons.csv",
        f"{RESULTS}/ranking.csv",
    log:
        f"{LOGS}/comparisons.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(240),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/comparisons.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results compare", options="{params.runs}")


# How far apart two methods are, with an interval: snakemake differences
rule differences:
    input:
        all_cases,
    output:
        f"{RESULTS}/differences.csv",
    log:
        f"{LOGS}/differences.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(240),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/differences.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results differences", options="{params.runs}")


# Which methods stand above which, over seeds and groups of test cases: snakemake orders
rule orders:
    input:
        all_cases,
    output:
        f"{RESULTS}/orders.csv",
    log:
        f"{LOGS}/orders.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash(
            "metrics",
            "analysis/cases.py",
            "analysis/contrasts.py",
            "analysis/orders.py",
        ),
        runs=RUNS_OPTION,
    shell:
        mednext("results orders", options="{params.runs}")


# Test cases that the paper's protocol and another have in common: snakemake shared
rule shared:
    input:
        all_cases,
    output:
        f"{RESULTS}/shared.csv",
    log:
        f"{LOGS}/shared.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/shared.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results shared", options="{params.runs}")


# Are test images that overlap with train easier? snakemake train_overlap
rule train_overlap:
    input:
        f"{RESULTS}/overlap_groups.csv",
        all_cases,
    output:
        f"{RESULTS}/train_overlap.csv",
    log:
        f"{LOGS}/train_overlap.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/train_overlap.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results overlap", options="{params.runs}")


# Which cases are served worse, by what is known besides the image: snakemake subgroups
rule subgroups:
    input:
        all_cases,
    output:
        f"{RESULTS}/subgroups.csv",
    log:
        f"{LOGS}/subgroups.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash(
            "metrics",
            "analysis/cases.py",
            "analysis/slices.py",
            "analysis/subgroups.py",
        ),
        runs=RUNS_OPTION,
    shell:
        mednext("results subgroups", options="{params.runs}")


rule curves:
    input:
        all_cases,
    output:
        f"{RESULTS}/curves.csv",
    log:
        f"{LOGS}/curves.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash("metrics", "analysis/cases.py", "analysis/curves.py"),
        runs=RUNS_OPTION,
    shell:
        mednext("results curves", options="{params.runs}")
