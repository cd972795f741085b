"""Properties of adapters, one function per property, each on a `LayerSubject`."""

from hankelcut.validation.adapter_properties.contract import (
    check_declaration,
    check_refusals,
)
from hankelcut.validation.adapter_properties.cuts import (
    check_cut_bound,
    check_failed_cut,
    check_stored_cut,
)
from hankelcut.validation.adapter_properties.layer_subject import (
    LayerSubject,
    ReadsState,
)
from hankelcut.validation.adapter_properties.optimizers import (
    check_moment_transport,
    check_optimizer_groups,
    check_parameter_attributes,
)
from hankelcut.validation.adapter_properties.round_trip import (
    check_extraction,
    check_extreme_poles,
    check_write,
)

__all__ = [
    "LayerSubject",
    "ReadsState",
    "check_cut_bound",
    "check_declaration",
    "check_extraction",
    "check_extreme_poles",
    "check_failed_cut",
    "check_moment_transport",
    "check_optimizer_groups",
    "check_parameter_attributes",
    "check_refusals",
    "check_stored_cut",
    "check_write",
]
