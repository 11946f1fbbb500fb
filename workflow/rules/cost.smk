# Params and GMACs of every registered method, counted in one process without weights or data.
rule cost:
    input:
        "benchmarks/methods.yaml",
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
    shell:
        "python -m mednext cost --out {output} 2>&1 | tee {log}"


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
    threads: workflow.cores
    params:
        code=folder_hash("models", "cost"),
    shell:
        "python -m mednext latency --out {output} --threads {threads} 2>&1 | tee {log}"
