"""Defects of the kinds that were found in code that people rely on."""

from tests.mutation_study.defects.adapters import ADAPTERS
from tests.mutation_study.defects.equations import EQUATIONS
from tests.mutation_study.defects.hankel_values import HANKEL_VALUES
from tests.mutation_study.defects.norms import NORMS
from tests.mutation_study.defects.reductions import REDUCTIONS

__all__ = ["DEFECTS"]

DEFECTS = (*EQUATIONS, *HANKEL_VALUES, *REDUCTIONS, *NORMS, *ADAPTERS)
"""All defects, by what they are checked as."""
