# The printed numbers checked by arithmetic: no data, no GPU. Only the counted costs, which they are
# compared with, come from another rule. The same for every profile.
AUDIT = "results/audit"
AUDIT_FILES = (
    "confusion",
    "misfits",
    "splits",
    "splits_by_table",
    "scores",
    "identities",
    "additivity",
    "additivity_checks",
    "additivity_repairs",
    "modules",
    "claims",
    "significance",
    "leads",
    "cells",
)


rule audit:
    input:
        reported=sorted(glob("benchmarks/reported/*")),
        cost=rules.cost.output,
    output:
        expand(f"{AUDIT}/{{file}}.csv", file=AUDIT_FILES),
        f"{AUDIT}/audit.md",
    log:
        f"{LOGS}/audit.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("audit"),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m mednext audit --cost {input.cost} --out {params.out} 2>&1 | tee {log}"
