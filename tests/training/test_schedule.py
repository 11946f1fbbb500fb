from __future__ import annotations

import math

import pytest

from mednext.training.schedule import factor


def test_warm_up_then_cosine_by_hand() -> None:
    # 40 steps, 10 % warm-up: 4 steps up, 36 steps down
    assert [factor("cosine", s, 40, 0.1) for s in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert factor("cosine", 4, 40, 0.1) == 1.0
    assert factor("cosine", 22, 40, 0.1) == pytest.approx(0.5)  # half-way down
    assert factor("cosine", 13, 40, 0.1) == pytest.approx(0.5 * (1 + math.sqrt(0.5)))
    assert factor("cosine", 40, 40, 0.1) == pytest.approx(0)


def test_cosine_only_falls_after_the_warm_up() -> None:
    values = [factor("cosine", s, 100, 0.05) for s in range(5, 100)]
    assert values == sorted(values, reverse=True)
    assert 0 < values[-1] < 0.001


def test_constant() -> None:
    assert {factor("constant", s, 10, 0.0) for s in range(10)} == {1.0}


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="cosine"):
        factor("cosin", 0, 10, 0.0)
