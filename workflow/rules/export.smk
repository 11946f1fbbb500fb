# What an export holds (mednext results export), put where the other rules look for it.
HELD = (*SMALL, CODE)
EXPORTED_FILES = small(*HELD)


rule exported_file:
    input:
        f"{EXPORT}/{{name}}.csv",
    output:
        f"{RESULTS}/{{name}}.csv",
    log:
        f"{LOGS}/exported.{{name}}.log",
    wildcard_constraints:
        name="|".join(Path(name).stem for name in HELD),
    conda:
        "../../environment.yml"
    shell:
        "cp {input} {output} 2>&1 | tee {log}"


rule exported_runs:
    input:
        glob(f"{EXPORT}/runs/*/*/*/*/*"),
    output:
        all_cases(None),
        [str(run_paths(run).run_json) for run in RUNS],
        [str(run_paths(run).history) for run in RUNS],
    log:
        f"{LOGS}/exported_runs.log",
    conda:
        "../../environment.yml"
    params:
        export=EXPORT,
    shell:
        mednext("results import", options="{params.export} --as-recorded")
