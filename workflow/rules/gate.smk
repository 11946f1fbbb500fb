# How each training ended: what the gate compares besides the metrics.
rule losses:
    input:
        sorted({str(run_paths(run).run_json) for run in RUNS}),
    output:
        f"{RESULTS}/losses.csv",
    log:
        f"{LOGS}/losses.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("gate/values.py"),
    shell:
        mednext("results losses")


# The regression gate against the committed reference of the profile: snakemake gate
rule gate:
    input:
        reference=[
            f"results/reference/{PROFILE.profile}/{name}.csv"
            for name in ("metrics", "losses", "cost", "probes")
        ],
        metrics=rules.metrics.output,
        losses=rules.losses.output,
        cost=rules.cost.output,
        probes=rules.probes.output,
        rules="benchmarks/gate.yaml",
        # How far seeds alone move the metrics, where that has been measured.
        spread=glob(f"results/reference/{PROFILE.profile}/spread.csv"),
    output:
        touch(f"{RESULTS}/gate.passed"),
    # Logs, since Snakemake keeps those of a failed job: the findings matter most then.
    log:
        text=f"{LOGS}/gate.txt",
        markdown=f"{LOGS}/gate.md",
        junit=f"{LOGS}/gate.xml",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash(
            "gate/compare.py",
            "gate/tolerance.py",
            "gate/rules.py",
            "gate/seed_spread.py",
            "gate/values.py",
        ),
        folders=f"results/reference/{PROFILE.profile} {RESULTS}",
        mode="" if PROFILE.deterministic else "--nondeterministic",
    shell:
        "python -m mednext gate {params.folders} {params.mode}"
        " --markdown {log.markdown} --junit {log.junit} 2>&1 | tee {log.text}"
