"""Selective layers measured by a calibration, to be cut by selection or projection."""

from collections.abc import Mapping

from torch import Tensor, nn

from hankelcut._errors import CalibrationError, UnsupportedLayerError
from hankelcut.adapters.cuts.projected_plan import ProjectedLayer
from hankelcut.adapters.cuts.selective_plan import ScoredLayer, SelectiveLayer
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.protocol import SelectiveAdapter
from hankelcut.adapters.registry import find_adapter, n_states
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.adapters.tensors import find_tensor

__all__ = ["measure_selective_layers", "require_no_calibration"]


def require_no_calibration(layers: Mapping[str, nn.Module]) -> None:
    """Raise when a layer can be measured on data only.

    Parameters
    ----------
    layers : mapping of str to torch.nn.Module
        Supported layers by name.

    Raises
    ------
    CalibrationError
        Names the layer, and how data are passed.
    """
    for name, layer in layers.items():
        adapter = find_adapter(layer)
        if isinstance(adapter, SelectiveAdapter):
            msg = (
                f"{name or 'the layer'} is a selective layer ({adapter.name}), whose "
                "states are scored on data; pass calibration=calibrate(model, batches),"
                " in training a function that does so, or leave it out by filter_fn"
            )
            raise CalibrationError(msg)


def measure_selective_layers(
    layers: Mapping[str, tuple[nn.Module, SelectiveAdapter]],
    calibration: Calibration | None,
    settings: CutSettings,
) -> dict[str, SelectiveLayer]:
    """Score the states of selective layers by their Gramians.

    Parameters
    ----------
    layers : mapping of str to (torch.nn.Module, SelectiveAdapter)
        Layers by name, with what knows them.
    calibration : Calibration, optional
        Gramians from data; needed where there is a layer.
    settings : CutSettings
        Whether states are selected or projected.

    Raises
    ------
    CalibrationError
        If there is no calibration, or none of a layer as it is.
    InvalidSystemError, UnsupportedLayerError
        If a layer's parameters are not finite, or do not fit together, or two layers
        share them.
    """
    if calibration is None:
        require_no_calibration({name: layer for name, (layer, _) in layers.items()})
        return {}
    kind = ScoredLayer if settings.selective == "select" else ProjectedLayer
    measured: dict[str, SelectiveLayer] = {}
    owners: dict[Tensor, str] = {}
    for name, (layer, adapter) in layers.items():
        first = find_tensor(layer, adapter.state_parameters(layer)[0].name)
        if owners.setdefault(first, name) != name:
            msg = (
                f"{name} shares its parameters with {owners[first]}, whose inputs are "
                "others: the states that one needs least the other may need most; "
                "leave these layers out by filter_fn"
            )
            raise UnsupportedLayerError(msg)
        adapter.require_valid(layer)
        gramians = calibration.of(name, n_states(layer))
        measured[name] = kind(name, layer, adapter, gramians)
    return measured
