# Who made the numbers, and the results folder as an RO-Crate: snakemake crate
rule crate:
    input:
        rules.page.output,
        rules.tables.output,
        rules.figures.output,
        rules.comparisons.output,
    output:
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/ro-crate-metadata.json",
    log:
        f"{LOGS}/crate.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("release/ro_crate.py"),
    shell:
        mednext("results crate")
