# Tables, figures and the page: drawn from the small result files alone.
from mednext.report.figures import FIGURES, PAPER


rule tables:
    input:
        rules.metrics.output,
        rules.cost.output,
        rules.datasets_table.output,
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
        mednext("tables")


# latency.csv is drawn if it is there: a timing is asked for by name, never on the way to a figure.
rule figures:
    input:
        rules.architecture.output,
        rules.metrics.output,
        rules.cost.output,
        rules.datasets_table.output,
        rules.comparisons.output,
        rules.curves.output,
        f"{AUDIT}/cells.csv",
        CASE_FILES,
        "benchmarks/tables.yaml",
    output:
        expand(
            f"{RESULTS}/figures/{{name}}.{{form}}", name=FIGURES, form=("pdf", "svg")
        ),
        [
            report(
                f"{RESULTS}/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category=(
                    "Figures of the paper" if name in PAPER else "Further figures"
                ),
                labels={"figure": name},
            )
            for name in FIGURES
        ],
    log:
        f"{LOGS}/figures.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report"),
    shell:
        mednext("figures")


rule leakage_report:
    input:
        rules.leakage.output,
    output:
        expand(
            f"{RESULTS}/tables/leakage_{{dataset}}.{{form}}",
            dataset=PROFILE.datasets,
            form=("csv", "md", "html"),
        ),
        expand(
            f"{RESULTS}/figures/leakage_{{dataset}}.{{form}}",
            dataset=PROFILE.datasets,
            form=("png", "pdf", "svg"),
        ),
    log:
        f"{LOGS}/leakage_report.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report"),
    shell:
        mednext("leakage")


rule page:
    input:
        rules.tables.output,
        rules.figures.output,
    output:
        f"{RESULTS}/page/index.html",
    log:
        f"{LOGS}/page.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report"),
    shell:
        mednext("page")
