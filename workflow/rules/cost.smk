# Params and GMACs of every registered method, counted without weights or data, and what untrained
# and trained networks do with a signal.
#
# The full counts (fvcore, ptflops, memory of a training step) are the same for every profile and
# take minutes, so they are made once, when the target `cost` is asked for. From then on each
# profile's cost.csv is a copy of them; until then it holds torch's counts alone.
FULL_COSTS = "results/cost/cost.csv"
with_full_costs = "cost" in sys.argv or Path(FULL_COSTS).is_file()


rule full_costs:
    input:
        "benchmarks/methods.yaml",
    output:
        FULL_COSTS,
    log:
        "results/cost/cost.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("models", "cost"),
    shell:
        "python -m mednext cost --full --out {output} 2>&1 | tee {log}"


rule cost:
    input:
        FULL_COSTS if with_full_costs else "benchmarks/methods.yaml",
    output:
        f"{RESULTS}/cost.csv",
    log:
        f"{LOGS}/cost.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(60),
    params:
        code=folder_hash("models", "cost"),
        verb=f"cp {FULL_COSTS}" if with_full_costs else "python -m mednext cost --out",
    shell:
        "{params.verb} {output} 2>&1 | tee {log}"


# What the untrained networks answer to a fixed input: the gate sees a changed function here.
rule probes:
    input:
        "benchmarks/methods.yaml",
    output:
        f"{RESULTS}/probes.csv",
    log:
        f"{LOGS}/probes.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(16000),
        runtime=doubled(60),
    params:
        code=folder_hash("models"),
    shell:
        "python -m mednext models probe --out {output} 2>&1 | tee {log}"


# The graphs behind Figs. 1-5, read off instantiated networks.
rule architecture:
    input:
        "benchmarks/methods.yaml",
    output:
        f"{RESULTS}/architecture.json",
    log:
        f"{LOGS}/architecture.log",
    conda:
        "../../environment.yml"
    params:
        code=folder_hash("models", "architecture.py"),
    shell:
        "python -m mednext models architecture --out {output} 2>&1 | tee {log}"


# Latency of every method on this machine; takes all cores, so that no other job disturbs it.
rule latency:
    input:
        "benchmarks/methods.yaml",
    output:
        f"{RESULTS}/latency.csv",
    log:
        f"{LOGS}/latency.log",
    conda:
        "../../environment.yml"
    threads: all_cores()
    params:
        code=folder_hash("models", "cost"),
    shell:
        "python -m mednext latency --out {output} --threads {threads} 2>&1 | tee {log}"


# How much of what the parts of MED blocks add depends on the image, and the gradients they get: with
# the first weights and with the trained ones. LAFFN as printed is nearly inert; the normalised form
# stands beside it, with trained weights too where the profile trains it. Ablations are left out.
med_runs = [
    run
    for run in PICTURED
    if run.method.removesuffix("_nc") in ("mednext", "medunext")
    and run.protocol == HEADLINE.protocol
]


rule signal:
    input:
        [str(run_paths(run).run_json) for run in med_runs],
    output:
        f"{RESULTS}/signal.csv",
    log:
        f"{LOGS}/signal.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=doubled(8000),
        runtime=doubled(120),
        gpu=GPUS,
    params:
        code=folder_hash("models", "training"),
    shell:
        mednext(
            "models signal",
            options=f"--protocol {HEADLINE.protocol} --out {{output}}",
        )
