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
            splits=splits_of,
            twin=trained_before,
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
        resources:
            mem_mb=doubled(12000),
            runtime=doubled(720),
            gpu=GPUS,
        params:
            config_hash=lambda w: run_of(w).config_hash,
            code_hash=lambda w: CODE_HASHES[run_name(run_of(w))],
        shell:
            mednext("train", options=AXES)


rule predict:
    input:
        f"{RUN}/run.json",
    output:
        [f"{RUN}/predictions.{selection}.npz" for selection in PROFILE.selections],
    log:
        f"{RUN_LOG}/predict.log",
    conda:
        "../../environment.yml"
    threads: PROFILE.threads
    resources:
        mem_mb=doubled(12000),
        runtime=doubled(120),
        gpu=GPUS,
    shell:
        mednext("predict", options=AXES)


# Distances between surfaces take minutes of one core: no GPU waits for them.
rule evaluate:
    input:
        predictions_of,
    output:
        [f"{RUN}/cases.{selection}.csv" for selection in PROFILE.selections],
    log:
        f"{RUN_LOG}/evaluate.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(12000),
        runtime=doubled(120),
    shell:
        mednext("evaluate", options=AXES)


# Arrays behind the image figures: one job per data set that a figure shows and the profile has.
CASE_FILES, WITHOUT_PICTURES = [], []
for _figure, _sets in FIGURE_DATASETS.items():
    for _dataset, _stem in case_files(_figure, list(PROFILE.datasets)).items():
        if not runs_of(_dataset)(None):
            WITHOUT_PICTURES.append(_stem)
            continue
        CASE_FILES.append(f"{RESULTS}/cases/{_stem}.npz")

        rule:
            name:
                f"explain_{_stem.replace('.', '_')}"
            input:
                runs_of(_dataset),
            output:
                f"{RESULTS}/cases/{_stem}.npz",
            log:
                f"{LOGS}/explain_{_stem}.log",
            conda:
                "../../environment.yml"
            resources:
                mem_mb=doubled(8000),
                runtime=doubled(60),
                gpu=GPUS,
            params:
                figure=_figure,
                dataset=_dataset,
                cases=getattr(PROFILE.figures, _figure),
            shell:
                mednext(
                    "results explain {params.figure}",
                    options="--dataset {params.dataset}",
                )


# Every test case with its predictions and small pictures, for the case browser of the page.
rule browse:
    input:
        cases_of_first_runs,
    output:
        f"{RESULTS}/cases/browse.{{dataset}}.{{protocol}}.npz",
    log:
        f"{LOGS}/browse.{{dataset}}.{{protocol}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(120),
        gpu=GPUS,
    shell:
        mednext(
            "results browse",
            options="--dataset {wildcards.dataset} --protocol {wildcards.protocol}",
        )
