# Plain tables of custom data sets and networks: snakemake custom
rule custom:
    input:
        rules.metrics.output,
        rules.datasets_table.output,
    output:
        expand(
            f"{RESULTS}/tables/custom.{{dataset}}.{{form}}",
            dataset=PROFILE.datasets,
            form=("csv", "md"),
        ),
    log:
        f"{LOGS}/custom.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report/custom.py"),
    shell:
        mednext("tables --custom")
