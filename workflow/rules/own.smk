# Plain tables of the profile's own data sets and networks: snakemake own
rule own:
    input:
        rules.metrics.output,
    output:
        expand(
            f"{RESULTS}/tables/own.{{dataset}}.{{form}}",
            dataset=PROFILE.datasets,
            form=("csv", "md"),
        ),
    log:
        f"{LOGS}/own.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report/own.py"),
    shell:
        mednext("tables --own")
