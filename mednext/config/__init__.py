"""Everything a person may configure, as pydantic models: ``config/*.yaml`` (the scale of a run) and
``benchmarks/*.yaml`` (what is compared).

Every file is complete in itself; nothing merges, and an unknown key is an error. Errors name the
file, the key, the value found and the remedy.
"""

from mednext.config.benchmarks import (
    ClassSpec,
    DatasetSpec,
    MethodSpec,
    Protocol,
    Recipe,
    Setting,
    Task,
    benchmarks_dir,
    load_datasets,
    load_methods,
    load_recipes,
    method_slug,
    reader_module,
)
from mednext.config.downloads import DownloadSpec, load_downloads
from mednext.config.figures import FIGURE_DATASETS, case_files, shown_methods
from mednext.config.files import (
    Strict,
    lookup,
    parse,
    read_yaml,
)
from mednext.config.gpus import GpuSpec, load_gpus
from mednext.config.profile import (
    DatasetRun,
    Device,
    FigureCases,
    Profile,
    RunConfig,
    Selection,
    SourceKind,
    SplitCounts,
    load_profile,
)

__all__ = [
    "FIGURE_DATASETS",
    "ClassSpec",
    "DatasetRun",
    "DatasetSpec",
    "Device",
    "DownloadSpec",
    "FigureCases",
    "GpuSpec",
    "MethodSpec",
    "Profile",
    "Protocol",
    "Recipe",
    "RunConfig",
    "Selection",
    "Setting",
    "SourceKind",
    "SplitCounts",
    "Strict",
    "Task",
    "benchmarks_dir",
    "case_files",
    "load_datasets",
    "load_downloads",
    "load_gpus",
    "load_methods",
    "load_profile",
    "load_recipes",
    "lookup",
    "method_slug",
    "parse",
    "read_yaml",
    "reader_module",
    "shown_methods",
]
