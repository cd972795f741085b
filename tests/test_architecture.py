"""The rules of the package's structure, read off its source without importing it."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "hankelcut"
MAX_LINES = 600

# Layer -> what it may import of the package, besides itself. What lies right under the
# package, a module or a package, is a layer of its own.
BASE = {"_array", "_errors", "_parallel", "_typing"}
CORE = BASE | {"lti", "reduction"}
MAY_IMPORT = {
    "_array": BASE,
    "_errors": set[str](),
    "_parallel": set[str](),
    "_typing": set[str](),
    "lti": BASE,
    "reduction": BASE | {"lti"},
    "adapters": CORE,
    "validation": CORE | {"adapters"},
    "plotting": CORE,
    "reports": CORE | {"plotting"},
    "nn": {"_errors"},
    "experiments": CORE | {"adapters", "nn", "plotting", "reports", "validation"},
    "cli": CORE
    | {"adapters", "experiments", "nn", "plotting", "reports", "validation"},
    "": CORE | {"adapters", "nn", "validation"},  # hankelcut/__init__.py
}
MAY_IMPORT_TORCH = {"adapters", "nn", "experiments", "cli"}
# Layers that import torch, and what needs it, in functions only.
MAY_IMPORT_TORCH_LATE = {"validation"}
# Modules beside the Schur kernels that call SciPy, each with its reason.
MAY_IMPORT_SCIPY = {
    "lti.exchange._mat5": "MAT-files hold sparse matrices",
    "lti.exchange.mat_files": "it writes MAT-files",
    "lti.exchange.scipy_systems": "it converts SciPy's own systems",
    "lti.systems._matrix_exponential": "the array API has no exponential",
    "lti.systems._matrix_logarithm": "the array API has no logarithm of matrices",
    "lti.systems._sparse_lu": "the array API has no sparse matrices",
    "lti.systems._uncoupled_states": "the array API has no components of graphs",
}
OPTIONAL = {"control", "lightning", "pymor", "slycot", "transformers", "triton"}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name without the package, and its text."""

    name: str
    source: str

    @property
    def layer(self) -> str:
        """First part of the name: "lti" of "lti.gramians.gramian_factors"."""
        return self.name.split(".")[0]

    @property
    def parts(self) -> list[str]:
        """The parts of the dotted name; none for the package itself."""
        return self.name.split(".") if self.name else []

    def imports(self, *, at_import_time: bool = False) -> Iterator[str]:
        """Dotted names that the module imports, anywhere or as it is imported."""
        nodes = _import_time_nodes if at_import_time else ast.walk
        for node in nodes(ast.parse(self.source)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: relative import"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _import_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            child = ast.Module(child.orelse)
        yield child
        yield from _import_time_nodes(child)


def _read_modules() -> list[Module]:
    modules = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        modules.append(Module(name, path.read_text(encoding="utf-8")))
    return modules


MODULES = _read_modules()


def layer_breaches(module: Module) -> list[str]:
    """Imports of layers that the module's own layer must not know."""
    allowed = MAY_IMPORT[module.layer] | {module.layer}
    own = [name.split(".") for name in module.imports()]
    layers = {parts[1] for parts in own if parts[0] == PACKAGE and len(parts) > 1}
    return sorted(layers & MAY_IMPORT.keys() - allowed)


def torch_breaches(module: Module) -> list[str]:
    """Imports of torch outside the layers that are about torch."""
    if module.layer in MAY_IMPORT_TORCH:
        return []
    late = module.layer in MAY_IMPORT_TORCH_LATE
    found = re.compile(rf"(torch|{PACKAGE}\.adapters)\b" if late else r"torch\b")
    return [name for name in module.imports(at_import_time=late) if found.match(name)]


def scipy_breaches(module: Module) -> list[str]:
    """Imports of SciPy outside the modules whose file name says Schur."""
    if "schur" in module.name.split(".")[-1] or module.name in MAY_IMPORT_SCIPY:
        return []
    return [name for name in module.imports() if name.split(".")[0] == "scipy"]


def optional_breaches(module: Module) -> list[str]:
    """Imports of optional dependencies outside functions."""
    names = module.imports(at_import_time=True)
    return [name for name in names if name.split(".")[0] in OPTIONAL]


def print_breaches(module: Module) -> list[str]:
    """Calls of print outside the command line."""
    if module.layer == "cli":
        return []
    return [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(module.source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def length_breaches(module: Module) -> list[str]:
    """The length of a module that is too long."""
    lines = len(module.source.splitlines())
    return [f"{lines} lines"] if lines > MAX_LINES else []


def public_breaches(module: Module) -> list[str]:
    """A public module without `__all__`."""
    body = ast.parse(module.source).body
    only_a_docstring = len(body) == 1 and isinstance(body[0], ast.Expr)
    if any(part.startswith("_") for part in module.parts) or only_a_docstring:
        return []
    targets = [
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return [] if "__all__" in targets else ["no __all__"]


def name_breaches(module: Module) -> list[str]:
    """Names that say nothing of what a module is for."""
    return [part for part in module.parts if part.strip("_") in {"util", "utils"}]


RULES = [
    layer_breaches,
    torch_breaches,
    scipy_breaches,
    optional_breaches,
    print_breaches,
    length_breaches,
    public_breaches,
    name_breaches,
]

OFFENDERS = [
    (layer_breaches, "lti.x", "from hankelcut.reduction.y import z"),
    (layer_breaches, "lti.x", "from hankelcut import reduction"),
    (layer_breaches, "reduction.x", "def f():\n    import hankelcut.adapters.lru"),
    (layer_breaches, "validation", "from hankelcut import experiments"),
    (layer_breaches, "nn.x", "from hankelcut import _array"),
    (torch_breaches, "lti.x", "def f():\n    import torch"),
    (torch_breaches, "validation.x", "from torch import nn"),
    (torch_breaches, "validation.x", "from hankelcut.adapters import Adapter"),
    (
        torch_breaches,
        "validation.x",
        "if TYPE_CHECKING:\n    x = 1\nelse:\n    import torch",
    ),
    (scipy_breaches, "lti.lyapunov", "from scipy import linalg"),
    (optional_breaches, "lti.x", "try:\n    import slycot\nfinally:\n    pass"),
    (optional_breaches, "lti.x", "class A:\n    from pymor.models import iosys"),
    (print_breaches, "lti.x", "def f():\n    print(1)"),
    (length_breaches, "lti.x", "\n" * (MAX_LINES + 1)),
    (public_breaches, "lti.x", "x = 1"),
    (public_breaches, "", "x = 1"),
    (name_breaches, "lti._utils", ""),
]


@pytest.mark.parametrize("rule", RULES)
def test_package_keeps_rule(rule):
    breaches = {module.name: rule(module) for module in MODULES}
    assert {name: found for name, found in breaches.items() if found} == {}


@pytest.mark.parametrize(("rule", "name", "source"), OFFENDERS)
def test_rule_catches_offender(rule, name, source):
    assert rule(Module(name, source)) != []


def test_every_layer_has_a_rule():
    assert {module.layer for module in MODULES} <= MAY_IMPORT.keys()


def test_imports_and_dependencies_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    core = _import_names(project["dependencies"])
    declared = core.union(
        *(_import_names(extras[e]) for e in ("torch", "validation", "experiments"))
    )
    imported = {n.split(".")[0] for module in MODULES for n in module.imports()}
    third_party = imported - sys.stdlib_module_names - {PACKAGE}
    assert third_party - OPTIONAL <= declared
    assert core <= third_party


def _import_names(requirements: list[str]) -> set[str]:
    renamed = {"scikit_learn": "sklearn"}
    names = [re.split(r"[^\w-]", line)[0].replace("-", "_") for line in requirements]
    return {renamed.get(name, name) for name in names}


def test_import_does_not_import_torch():
    code = "import sys, hankelcut; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
