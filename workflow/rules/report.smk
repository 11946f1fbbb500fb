# Tables, figures and the page: drawn from the small result files alone. `snakemake --report FILE`
# gathers what is marked with report().
from mednext.report.figures import FIGURES, PAPER


report: "../report/files/workflow.rst"


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
        mednext("figures", options="--partial" if WITHOUT_PICTURES else "")


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
        mednext("results leakage-report")


rule page:
    input:
        rules.tables.output,
        rules.figures.output,
        rules.comparisons.output,
        rules.leakage_report.output,
        rules.audit.output,
        browsed(),
    output:
        report(
            f"{RESULTS}/page/index.html",
            caption="../report/files/page.rst",
            category="Page",
            labels={"page": "everything, in one file"},
        ),
    log:
        f"{LOGS}/page.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("report"),
    shell:
        mednext("page")
