# The printed numbers checked by arithmetic: no data, no GPU. Only the counted costs, which they are
# compared with, come from another rule. The same for every profile.
AUDIT = str(results_root("audit"))
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
    "published",
    "claims",
    "significance",
    "leads",
    "cells",
)


rule audit:
    input:
        reported=sorted(glob("benchmarks/reported/*")),
        cost=small("cost.csv"),
    output:
        expand(f"{AUDIT}/{{file}}.csv", file=AUDIT_FILES),
        f"{AUDIT}/report.html",
        f"{AUDIT}/audit.md",
    log:
        f"{LOGS}/audit.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("audit"),
        cost=lambda wildcards, input: f"--cost {input.cost}" if input.cost else "",
    shell:
        f"python -m mednext audit {{params.cost}} --out {AUDIT} 2>&1 | tee {{log}}"
