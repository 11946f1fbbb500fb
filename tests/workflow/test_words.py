"""Retired words stand nowhere but where old and new are told of, or old files are read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RETIRED = (
    r"\bown_(datasets|methods|files|tables?)\b|\bOwn(Dataset|Method)\b|\bregister_own\b",
    r"\bown\.(py|smk|log)\b|\bsnakemake own\b|--own\b|\bMoreRuns\b|\brun\.more\b|^ +more:$",
    r"\bside_rows\b|\bgroups?[_ ]on[_ ]two[_ ]sides\b|\b(data|few|again)\.sides\b",
    r"\b(test|training|validation)[ _]sides?\b|\bsides of (a|each|every|the) splits?\b",
    r"\btest_with_partner\b|\bkin\b|\brelatives?\.csv\b|\bseen\.csv\b|\b(Relative|Seen)Row\b",
    r"\brelatives? in train\b|\btorn apart\b|\btears? apart\b",
    r"(?-i:\bAgain\()|\bclass (Again|Patience|Advice)\b|\bPatience\(|\bAdvice\(",
    r"\bfew_at_a_time\b|\btwo_products\b|\b_Fan\b|\bcrowding\b|\bresampled\.alone\b",
    r"\b(taken?|took|takes|taking) over (the|runs|from|by|whole)\b|\btaken over\b"
    r"|\b(take|takes|took|taking) (it|them) over\b",
    r"\b(told|tell|tells) apart\b|\b(can[ _]?not|nobody can)[ _]tell\b",
    r"\bno GPU is there\b|\bmemory is full\b|\bsame set-?up\b|\bwhat (it|they) rests? on\b",
)
OLD_AND_NEW = {
    "CHANGELOG.md",
    "docs/migration.md",
    "mednext/config/retired.py",
    "tests/config/test_retired.py",
    "tests/workflow/test_words.py",
}
READS_OLD_FILES = {
    "mednext/config/profile.py": {"own_datasets", "own_methods"},
    "mednext/results/data.py": {"groups_on_two_sides", "test_with_partner"},
    "mednext/runs/export.py": {"relatives.csv", "seen.csv"},
    "tests/faults/test_cases.py": {"own_datasets", "own_methods"},
    "tests/results/test_results.py": {"groups_on_two_sides"},
    "tests/workflow/test_findings.py": {"relatives.csv", "seen.csv"},
}
WORDS_OF_OTHERS = ("benchmarks/reported/", "mednext/report/templates/page/vendor/")
TEXT = {".py", ".smk", ".md", ".j2", ".js", ".yaml", ".yml", ".json", ".toml", ".rst", ".csv", ""}


def hits(name: str, text: str) -> list[str]:
    """``file:line: word`` of every retired word of a file."""
    allowed = READS_OLD_FILES.get(name, set())
    retired = re.compile("|".join(RETIRED), re.MULTILINE | re.IGNORECASE)
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for found in retired.finditer(text)
        if found[0] not in allowed
    ]


def words_of(file: Path) -> tuple[str, str]:
    """Name and text; of a table of numbers its columns."""
    text = file.read_text()
    return str(file.relative_to(ROOT)), text.partition("\n")[0] if file.suffix == ".csv" else text


def test_no_retired_word_is_left() -> None:
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    names = [n for n in names if Path(n).suffix in TEXT and n not in OLD_AND_NEW]
    files = [ROOT / n for n in names if not n.startswith(WORDS_OF_OTHERS)]
    assert len(files) > 300
    found = [hit for file in files if file.is_file() for hit in hits(*words_of(file))]
    assert not found, "\n".join(found)


def test_every_retired_word_would_be_found() -> None:
    told = (ROOT / "docs/migration.md").read_text()
    words = {hit.rsplit(": ", 1)[1] for hit in hits("docs/migration.md", told)}
    assert {"own_datasets", "MoreRuns", "side_rows", "taken over", "crowding", "seen.csv"} <= words
    assert not hits("x.md", "The other side of the picture has more of its own; it is seen alone.")
