"""Systems of other toolboxes and in files."""

from hankelcut.lti.exchange.control_systems import from_control, to_control
from hankelcut.lti.exchange.files import load, save
from hankelcut.lti.exchange.scipy_systems import from_scipy, to_scipy

__all__ = [
    "from_control",
    "from_scipy",
    "load",
    "save",
    "to_control",
    "to_scipy",
]
