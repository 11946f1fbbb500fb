# Reads the one configuration file and names every run of it. No torch here: parsing stays fast.
import shlex
import sys
from pathlib import Path
from glob import glob

from mednext.config import FIGURE_DATASETS, case_files, load_profile
from mednext.datasets.prepare import prepared_key
from mednext.datasets.splits import split_code
from mednext.errors import UserError
from mednext.layout import CODE, DataPaths, browse_npz, reference_root, results_root
from mednext.files import hold
from mednext.provenance import code_hash, folder_hash
from mednext.results import HEADLINE, read_run
from mednext.runs.export import SMALL, exported_configs
from mednext.runs.gpu_lock import visible_gpus
from mednext.runs.resolve import (
    device_on,
    first_runs,
    resolve_runs,
    run_name,
    run_paths,
)
from snakemake.exceptions import WorkflowError


def only_configfile():
    """The one configuration file of this invocation."""
    given = [str(path) for path in workflow.overwrite_configfiles or []]
    if len(given) > 1 or (config and not given):
        raise WorkflowError(
            "Configuration never merges: give exactly one --configfile and no --config "
            f"(got files {given}, keys {sorted(config)}). Copy a file of config/ and edit it."
        )
    return given[0] if given else "config/demo.yaml"


CONFIGFILE = only_configfile()
try:
    PROFILE = load_profile(CONFIGFILE)
    # Below results/findings the exported runs alone, as recorded; else all of the profile.
    EXPORT = reference_root(PROFILE.profile) if FROM_EXPORT else None
    RUNS = exported_configs(EXPORT, PROFILE) if EXPORT else resolve_runs(PROFILE)
    # A network that cannot be found is said before anything starts.
    BY_NAME = {run_name(run): run for run in RUNS}
    CODE_HASHES = {run_name(run): code_hash(run) for run in RUNS}
    RESULTS = str(results_root(PROFILE.profile))
except UserError as error:
    raise WorkflowError(str(error)) from None

LOGS = f"{RESULTS}/logs"
SOURCE_IDS = {run.dataset: run.source_id for run in RUNS}
# Runs imported without weights cannot predict again: no heatmap, no picture, no signal of them.
PICTURED = [run for run in RUNS if not run_paths(run).counts_only]
TASKS = {run.dataset: run.task for run in RUNS}


# Snakemake's own lock survives a SIGKILL; this one is freed by the kernel.
onstart:
    try:
        # Of an export all of results/findings: the import into it holds the profile's folder.
        hold(
            results_root("" if EXPORT else PROFILE.profile),
            f"the results of profile '{PROFILE.profile}'",
        )
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if len(PICTURED) < len(RUNS) and not EXPORT:
        print(
            f"{len(RUNS) - len(PICTURED)} of {len(RUNS)} runs were imported without weights: "
            "they are in every metric, but not in heatmaps, overlays and the case browser",
            file=sys.stderr,
        )


# Where the runs are on a GPU, each job that runs a network gets one, or its share of one. Unless
# --resources says otherwise, there are as many as this machine shows: a job that would wait for a
# GPU is not started, and holds no cores.
GPUS = 1 if device_on(PROFILE) == "cuda" else 0
if GPUS and "gpu" not in workflow.global_resources and visible_gpus():
    if (
        workflow.global_resources["_nodes"].value is None
    ):  # no cluster, which knows its own
        places = len(visible_gpus()) * PROFILE.trainings_per_gpu
        workflow.global_resources["gpu"] = places


wildcard_constraints:
    dataset="|".join(PROFILE.datasets),
    protocol="|".join(sorted({run.protocol for run in RUNS})),
    method=r"[a-z0-9_]+",
    seed=r"\d+",


def mednext(*verbs, options=""):
    """A shell command that runs verbs on this configuration and keeps what they print."""
    file = shlex.quote(CONFIGFILE).replace("{", "{{").replace("}", "}}")
    # tee outlives Ctrl-C, so that what a verb says of it is still shown.
    return " && ".join(
        f"python -m mednext {verb} --configfile {file} {options} 2>&1 | tee -ai {{log:q}}"
        for verb in verbs
    )


def small(*names):
    """Small result files by name; of an export those that it holds."""
    return [f"{RESULTS}/{n}" for n in names if not EXPORT or (EXPORT / n).is_file()]


def data_paths(wildcards):
    return DataPaths(SOURCE_IDS[wildcards.dataset], wildcards.dataset)


def was_imported(wildcards):
    """Is this a run imported from elsewhere, of this very code? Data that are prepared here do
    not make it train again.
    """
    run = run_of(wildcards)
    paths = run_paths(run)
    if not (paths.imported.is_file() and paths.run_json.is_file()):
        return False
    return read_run(paths.run_json).code_hash == CODE_HASHES[run_name(run)]


def prepared_meta(wildcards):
    """The file that says that the arrays a run reads are complete."""
    if was_imported(wildcards):
        return []
    size = PROFILE.datasets[wildcards.dataset].img_size
    return str(
        data_paths(wildcards).prepared_meta(prepared_key(wildcards.dataset, size))
    )


def run_of(wildcards):
    """The resolved configuration behind the wildcards of a training rule."""
    return BY_NAME["{0.dataset}/{0.protocol}/{0.method}/seed{0.seed}".format(wildcards)]


def splits_of(wildcards):
    """All splits of the data set: protocols with the same split share one training."""
    if was_imported(wildcards):
        return []
    paths = data_paths(wildcards)
    protocols = PROFILE.datasets[wildcards.dataset].all_protocols
    return [str(paths.split(protocol)) for protocol in protocols]


def trained_before(wildcards):
    """Volumes are split by patient under every protocol, so that all of them share one training:
    the first goes first, and the others do not occupy cores to wait for it.
    """
    if was_imported(wildcards):
        return []
    ours = run_of(wildcards)
    first = next(
        r
        for r in RUNS
        if (r.dataset, r.method, r.seed) == (ours.dataset, ours.method, ours.seed)
    )
    shared = ours.task == "segmentation" and first != ours
    return str(run_paths(first).run_json) if shared else []


def predictions_of(wildcards):
    """What is counted. A run imported with its counts alone has none, and needs none."""
    paths = run_paths(run_of(wildcards))
    if paths.counts_only:
        return str(paths.run_json)
    return [str(paths.predictions(s)) for s in PROFILE.selections]


def all_cases(wildcards):
    return [str(run_paths(r).cases(s)) for r in RUNS for s in PROFILE.selections]


def runs_of(dataset):
    """The evaluated runs that a figure of ``dataset`` shows."""

    def files(wildcards):
        seed = PROFILE.seeds[0]
        return [
            str(run_paths(r).cases(HEADLINE.selection))
            for r in PICTURED
            if r.dataset == dataset
            and r.protocol == HEADLINE.protocol
            and r.seed == seed
        ]

    return files


def doubled(amount):
    """A resource (MB or minutes) that doubles with every retry."""

    def needed(wildcards, attempt):
        return amount * 2 ** (attempt - 1)

    return needed


def all_cores():
    """The cores of this machine; on a cluster, where none are named, those of one training."""
    try:
        return workflow.cores
    except WorkflowError:
        return PROFILE.threads


def cases_of_first_runs(wildcards):
    """The evaluated runs whose test cases the page's browser shows."""
    runs = first_runs(PICTURED, wildcards.dataset, wildcards.protocol)
    return [str(run_paths(r).cases(HEADLINE.selection)) for r in runs]


def browsed():
    """The case browser's files of every data set and protocol."""
    pairs = dict.fromkeys((r.dataset, r.protocol) for r in PICTURED)
    return [str(browse_npz(PROFILE.profile, *pair)) for pair in pairs]
