"""Plain tables of a user's own data: every number by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mednext.config import DatasetSpec
from mednext.config.benchmarks import CUSTOM_DATASETS
from mednext.config.custom import CustomDataset
from mednext.report.custom import custom_table, majority, markdown
from mednext.results import DatasetRow, policy_of
from tests.report.made_up import metric_row

SET = "my_set"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> DatasetSpec:
    classes = [{"slug": "a", "name": "A <b>x</b> | y"}, {"slug": "b", "name": "B"}]
    custom = CustomDataset.model_validate({"task": "classification", "classes": classes})
    monkeypatch.setitem(CUSTOM_DATASETS, SET, custom.spec(SET))
    return custom.spec(SET)


def count(klass: str, test: int, protocol: str = "paper") -> DatasetRow:
    same: dict[str, Any] = dict.fromkeys(
        ("expected_total", "printed_train", "printed_val", "printed_test")
    )
    return DatasetRow(
        dataset=SET,
        name=SET,
        source="local",
        source_id="local-0",
        protocol=protocol,
        klass=klass,
        unit="images",
        train=9,
        val=3,
        test=test,
        unused=0,
        total=12 + test,
        groups=12 + test,
        groups_in_two_subsets=0,
        data_hash="d" * 16,
        split_hash="e" * 16,
        **same,
    )


def test_test_size_majority_class_names_and_intervals(scans: DatasetSpec) -> None:
    counts = [count("a", 3), count("b", 5)]
    row = metric_row(dataset=SET, target="a", n_cases=8, value=0.75, ci_low=0.4, ci_high=0.9)
    frame = custom_table([row], counts, policy_of(SET))
    (line,) = frame.to_dict(orient="records")
    assert (line["name"], line["n_cases"]) == ("A <b>x</b> | y", 8)
    assert (line["majority_class"], line["majority_share"]) == ("B", 0.625)  # 5 of 8
    text = markdown(SET, [row], counts, frame)
    assert "Test set of `paper`: 8 images (3 A &lt;b>x&lt;/b> \\| y, 5 B)" in text
    assert "to call all of them B has accuracy 0.625." in text
    assert "| A &lt;b>x&lt;/b> \\| y " in text and "0.750 [0.400, 0.900]" in text
    assert "<b>" not in text and "No `patient`" not in text


def test_another_protocol_without_patients_is_named_as_worth_no_more(scans: DatasetSpec) -> None:
    counts = [count("a", 3), count("b", 5), count("a", 3, "grouped"), count("b", 5, "grouped")]
    text = markdown(SET, [], counts, custom_table([], counts, policy_of(SET)))
    assert "No `patient` is given" in text and "Test set of `grouped`" in text
    assert majority(counts, "cv1") == (None, None)


def test_the_papers_policy_is_that_of_its_own_data_alone(scans: DatasetSpec) -> None:
    assert [policy_of(name) for name in ("acdc", SET, "not known")] == [
        "transunet",
        "worst",
        "worst",
    ]
