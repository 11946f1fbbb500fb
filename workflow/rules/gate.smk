# The regression gate against the committed reference of the profile: snakemake gate
REFERENCE = reference_root(PROFILE.profile)


rule gate:
    input:
        reference=glob(f"{REFERENCE}/*.csv"),
        metrics=rules.metrics.output,
        cost=rules.cost.output,
        probes=rules.probes.output,
        rules="benchmarks/gate.yaml",
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
        code=folder_hash("gate"),
        folders=f"{REFERENCE} {RESULTS}",
        mode="" if PROFILE.deterministic else "--nondeterministic",
    shell:
        "python -m mednext gate {params.folders} {params.mode}"
        " --markdown {log.markdown} --junit {log.junit} 2>&1 | tee {log.text}"
