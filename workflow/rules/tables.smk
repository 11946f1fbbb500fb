# Tables 1 to 8: side by side, as printed, as reproduced.
rule tables:
    input:
        rules.metrics.output,
        small("cost.csv", "datasets.csv"),
        f"{AUDIT}/cells.csv",
        "benchmarks/tables.yaml",
    output:
        expand(
            f"{RESULTS}/tables/table{{n}}.{{form}}",
            n=range(1, 9),
            form=("csv", "md", "tex"),
        ),
        [
            report(
                f"{RESULTS}/tables/table{n}.html",
                caption=f"../report/table{n}.rst",
                category="Tables",
                labels={"table": str(n)},
            )
            for n in range(1, 9)
        ],
    log:
        f"{LOGS}/tables.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report"),
    shell:
        mednext("tables", options="--partial" if EXPORT else "")
