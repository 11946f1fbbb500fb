# One process per training run; then predictions, counts per case, and metrics.csv from the counts.
RUN = f"{RESULTS}/runs/{{dataset}}/{{protocol}}/{{method}}/seed{{seed}}"
RUN_LOG = f"{LOGS}/runs/{{dataset}}/{{protocol}}/{{method}}/seed{{seed}}"
AXES = (
    "--dataset {wildcards.dataset} --protocol {wildcards.protocol}"
    " --method {wildcards.method} --seed {wildcards.seed}"
)


# Segmentation takes longest: starting it first keeps all cores busy to the end.
for _task, _priority in (("segmentation", 50), ("classification", 10)):
    _datasets = [d for d, task in TASKS.items() if task == _task]
    if not _datasets:
        continue

    rule:
        name:
            f"train_{_task}"
        input:
            prepared=prepared_meta,
            split=split_csv,
        output:
            f"{RUN}/run.json",
        log:
            f"{RUN_LOG}/train.log",
        wildcard_constraints:
            dataset="|".join(_datasets),
        priority: _priority
        conda:
            "../../environment.yml"
        threads: PROFILE.threads
        params:
            config_hash=lambda w: run_of(w).config_hash,
            code_hash=code_hash(),
        shell:
            mednext("train", options=AXES)


rule evaluate:
    input:
        f"{RUN}/run.json",
    output:
        [f"{RUN}/cases.{selection}.csv" for selection in PROFILE.selections],
    log:
        f"{RUN_LOG}/evaluate.log",
    conda:
        "../../environment.yml"
    threads: PROFILE.threads
    shell:
        mednext("predict", "evaluate", options=AXES)


rule metrics:
    input:
        all_cases,
    output:
        f"{RESULTS}/metrics.csv",
    log:
        f"{LOGS}/metrics.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("metrics", "collect.py"),
    shell:
        mednext("results collect")


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
    params:
        code=folder_hash("metrics", "collect.py", "compare.py"),
    shell:
        mednext("results compare")


rule explain_fig6:
    input:
        runs_of("sars_cov2_ct"),
    output:
        f"{RESULTS}/cases/fig6.npz",
    log:
        f"{LOGS}/explain_fig6.log",
    conda:
        "../../environment.yml"
    params:
        cases=PROFILE.figures.fig6,
    shell:
        mednext("explain fig6")


rule explain_fig8:
    input:
        runs_of("acdc"),
    output:
        f"{RESULTS}/cases/fig8.npz",
    log:
        f"{LOGS}/explain_fig8.log",
    conda:
        "../../environment.yml"
    params:
        cases=PROFILE.figures.fig8,
    shell:
        mednext("explain fig8")
