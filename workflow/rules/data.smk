# From a source to memory-mapped arrays and splits: fetch, verify, prepare, split.
# The source id is part of every path, so no profile can read another source's data.
for _dataset, _source_id in SOURCE_IDS.items():
    _paths = DataPaths(_source_id, _dataset)
    _key = prepared_key(_dataset, PROFILE.datasets[_dataset].img_size)

    rule:
        name:
            f"fetch_{_dataset}"
        output:
            str(_paths.manifest),
        log:
            f"{LOGS}/data/{_dataset}.fetch.log",
        # On a cluster it runs where snakemake itself runs: nodes often have no way out.
        localrule: True
        conda:
            "../../environment.yml"
        params:
            dataset=_dataset,
        shell:
            mednext("datasets fetch", options="--dataset {params.dataset}")

    rule:
        name:
            f"verify_{_dataset}"
        input:
            str(_paths.manifest),
        output:
            str(_paths.facts),
            str(_paths.items),
        log:
            f"{LOGS}/data/{_dataset}.verify.log",
        group:
            f"data_{_dataset}"
        conda:
            "../../environment.yml"
        threads: 4
        resources:
            mem_mb=doubled(8000),
            runtime=doubled(120),
        params:
            dataset=_dataset,
        shell:
            mednext(
                "datasets verify",
                options="--dataset {params.dataset} --jobs {threads}",
            )

    rule:
        name:
            f"prepare_{_dataset}"
        input:
            str(_paths.facts),
        output:
            str(_paths.prepared_meta(_key)),
        log:
            f"{LOGS}/data/{_dataset}.prepare.{_key}.log",
        group:
            f"data_{_dataset}"
        conda:
            "../../environment.yml"
        threads: 4
        resources:
            mem_mb=doubled(16000),
            runtime=doubled(240),
        params:
            dataset=_dataset,
        shell:
            mednext(
                "datasets prepare",
                options="--dataset {params.dataset} --jobs {threads}",
            )

    rule:
        name:
            f"split_{_dataset}"
        input:
            str(_paths.prepared_meta(_key)),
            "benchmarks/near_duplicates.csv",
        output:
            str(_paths.root / "splits" / "{protocol}.csv"),
        log:
            f"{LOGS}/data/{_dataset}.split.{{protocol}}.log",
        group:
            f"data_{_dataset}"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=doubled(8000),
            runtime=doubled(60),
        params:
            dataset=_dataset,
            code=split_code(_dataset),
        shell:
            mednext(
                "datasets split",
                options="--dataset {params.dataset} --protocol {wildcards.protocol}",
            )


rule datasets_table:
    input:
        [
            str(DataPaths(SOURCE_IDS[d], d).split(p))
            for d, run in PROFILE.datasets.items()
            for p in run.all_protocols
        ],
    output:
        f"{RESULTS}/datasets.csv",
    log:
        f"{LOGS}/datasets_table.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("datasets"),
    shell:
        mednext("datasets table")


rule leakage:
    input:
        rules.datasets_table.input,
        [str(DataPaths(SOURCE_IDS[d], d).items) for d in PROFILE.datasets],
        "benchmarks/near_duplicates.csv",
    output:
        f"{RESULTS}/leakage.csv",
    log:
        f"{LOGS}/leakage.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("datasets"),
    shell:
        mednext("datasets leakage")


# The highest Dice that the image size allows, of the data alone: snakemake ceiling
rule ceiling:
    input:
        rules.datasets_table.input,
    output:
        f"{RESULTS}/ceiling.csv",
    log:
        f"{LOGS}/ceiling.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("analysis/ceiling.py", "metrics/segmentation.py"),
    shell:
        mednext("datasets ceiling")


# Which groups have members in both test and train, for train_overlap.csv: snakemake overlap_groups
rule overlap_groups:
    input:
        rules.datasets_table.input,
    output:
        f"{RESULTS}/overlap_groups.csv",
    log:
        f"{LOGS}/overlap_groups.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("analysis/train_overlap.py"),
    shell:
        mednext("datasets overlap-groups")
