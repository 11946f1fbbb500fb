# make help lists the targets. Everything runs in .venv, made from requirements.lock.
PYTHON ?= python3.11
CONFIG ?= config/demo.yaml
CORES ?= all
PROFILE = $(basename $(notdir $(CONFIG)))
VENV := .venv
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# A folder of real data beside the checkout is used if it is there (see docs/data.md).
ifneq ($(wildcard ../shared/data),)
export MEDNEXT_LOCAL ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.PHONY: help setup results gate spread rounding planted reference findings test test-all lint format lock schemas agreement bench engines predicting steps near-duplicates lists faults docs cards statistics planned site links gpu-check gpu-hours

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

# Bytecode is left to the first import of each module: many are never imported.
setup: $(STAMP)  ## create .venv with every pinned package

$(STAMP): requirements.lock pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -qq --no-deps --no-compile -r requirements.lock
	$(VENV)/bin/python -m pip check
	$(VENV)/bin/python -m pip install -qq --no-deps --no-build-isolation -e .
	touch $(STAMP)

results: setup  ## run the workflow (CONFIG=config/demo.yaml CORES=all)
	snakemake --cores $(CORES) --configfile $(CONFIG)

gate: setup  ## compare the results with the committed reference of the profile (CONFIG as above)
	snakemake gate --cores all --configfile $(CONFIG)

spread: setup  ## measure how far seeds alone move the demo's metrics, for the gate (half an hour)
	snakemake metrics --cores all --configfile config/demo_seeds.yaml
	python -m mednext results spread results/demo_seeds --out results/reference/demo/spread.csv

rounding: results  ## measure what another CPU's instructions do to the first losses, for the gate
	python -m mednext results rounding --configfile config/demo.yaml --out results/reference/demo/rounding.csv

planted: results  ## try changes planted in the code on the demo's first losses (planted.csv)
	python -m tests.gate.planted --out results/reference/demo/planted.csv

reference: results  ## import the results as the reference of the profile (REASON="why")
	python -m mednext gate results/reference/$(PROFILE) results/$(PROFILE) \
	  --update-reference --reason "$(REASON)"

findings: setup  ## rebuild results/FINDINGS.md, the README's part of it and its sources
	snakemake --snakefile workflow/findings.smk --cores all --configfile config/reduced.yaml

test: setup  ## quick tests (TESTS=tests/models for a part of them)
	python -m pytest -m "not slow" $(TESTS)

test-all: setup  ## all tests, the slow ones too
	python -m pytest $(TESTS)

lint: setup  ## ruff, snakefmt, snakemake --lint, mypy, import-linter
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint
	snakemake --lint --snakefile workflow/findings.smk --configfile config/reduced.yaml
	mypy
	lint-imports

format: setup  ## rewrite code in the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

steps: setup  ## count operations and waits of a training step (benchmarks/speed/steps.csv)
	python benchmarks/speed/steps.py

engines: setup  ## time the folded pair in every engine that is installed: docs/speed.md (a quiet machine)
	python benchmarks/speed/engines.py --document docs/speed.md

predicting: setup  ## time mednext predict on 10,000 images: docs/speed.md (a quiet machine)
	python benchmarks/speed/predicting.py --document docs/speed.md

bench: setup  ## side-by-side timings into results/speed/ (minutes)
	python benchmarks/speed/engines.py --out results/speed/engines.csv
	for part in networks data suite shares growth hd95; do python benchmarks/speed/$$part.py || exit 1; done
	python benchmarks/speed/leakage.py

gpu-check: setup  ## check this machine's GPU in five minutes into results/gpu/ (exit code 5: none)
	python -m mednext.planning.gpu_check

gpu-hours: setup  ## write docs/gpu_hours.txt: the paper's matrix on each of five models of GPU, by a roofline
	python -m mednext plan --configfile config/paper.yaml --gpu-hours docs/gpu_hours.txt \
	  --out results/reference/reduced/plan_paper.csv

lists: setup  ## make benchmarks/splits/*.csv from the published lists
	python -m mednext datasets lists --out benchmarks/splits

near-duplicates: setup  ## fix and try the radius of near-duplicates on the real SARS-COV-2 images
	python -m mednext datasets calibrate --folder sars-cov-2-ct-scan-256 \
	  --out benchmarks/near_duplicates.csv

faults: setup  ## bring about every fault and write docs/faults.md
	MEDNEXT_FAULT_TABLE=docs/faults.md python -m pytest -q tests/faults

docs: results cards  ## take the pictures of README and docs from the demo's page, write the cards
	python docs/pictures.py

planned: setup  ## what each question of the second wave can show (MEDNEXT_LOCAL must hold the data)
	python -m mednext results planned --out results/reference/wave2/planned.csv \
	  --document docs/protocol_wave2.md

statistics: setup  ## simulate size, coverage and power of every procedure: docs/statistics.md
	python docs/procedures.py

site: setup  ## build the documentation site into results/site/ (every warning is an error)
	python -m sphinx -W --keep-going -b html docs results/site

links: setup  ## ask every outside link of the documentation for an answer (needs a network)
	python -m sphinx -q -b linkcheck docs results/links

cards: setup  ## write docs/data_cards.md and docs/model_cards.md
	python -c "from pathlib import Path; from mednext.release.cards import write_cards; write_cards(Path('docs'))"

agreement: setup  ## how the committed runs' results go together, for the audit's leads
	python -m mednext audit agreement results/reference/reduced --write benchmarks/reported/agreement.csv

schemas: setup  ## write workflow/schemas/*.json from the pydantic models
	python -m mednext.cli.schemas workflow/schemas

lock:  ## resolve requirements.in afresh into requirements.lock
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install -r requirements.in
	.lock-venv/bin/python -m pip freeze --all | grep -v '^pip==' | sort -f \
	  | sed -E 's/^((nvidia-|triton|cuda-)[^ ]*)$$/\1 ; sys_platform == "linux"/' > requirements.lock.part
	mv requirements.lock.part requirements.lock
	rm -rf .lock-venv
