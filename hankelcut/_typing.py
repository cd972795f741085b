"""Types shared by the package: arrays of any library, with their shapes."""

from typing import Any, TypeAlias

from jaxtyping import Complex, Float, Inexact, Real

__all__ = ["Array", "Complex", "Float", "Inexact", "Namespace", "Real"]

Array: TypeAlias = Any
"""An array of any library that speaks the array API standard."""

Namespace: TypeAlias = Any
"""The functions of an array library, as `array_api_compat.array_namespace` gives."""
