"""The targets of `make fuzz` stand their seeds, among them all that was found. No fuzzer is needed."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.fuzz import answers, bodies, signatures

SEEDS = [(target, seed) for target in (answers, bodies, signatures) for seed in target.SEEDS]


@pytest.mark.parametrize(
    ("target", "seed"),
    SEEDS,
    ids=[f"{target.__name__.rpartition('.')[2]}-{number}" for number, (target, _) in enumerate(SEEDS)],
)
def test_a_target_stands_its_seeds(target: ModuleType, seed: bytes) -> None:
    target.fuzz(seed)
