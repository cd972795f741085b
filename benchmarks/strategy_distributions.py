"""What the strategies of hankelcut.validation draw, as a picture.

Draws systems of each strategy with one seed and plots their orders, poles, stability
margins, condition numbers of eigenvectors, and gaps between Hankel singular values, and
how often each kind of nasty system comes up.

Run: python benchmarks/strategy_distributions.py [--draws 1000] [--picture FILE]
"""

import argparse
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import hankelcut as hc
from hankelcut.lti.structure.stability import poles_of
from hankelcut.validation import (
    NASTY_KINDS,
    diagonal_systems,
    orders,
    stable_systems,
    unstable_systems,
)
from hankelcut.validation.strategies.nasty_systems import named_nasty_systems

PICTURE = Path(__file__).parents[1] / "docs/images/strategies.png"
COLOURS = {"stable": "#1f6f8b", "diagonal": "#c46210", "unstable": "#a23b3b"}
NEAR, FULL = 1e-6, 1e3
SMALLEST = 1e-16


def drawn(strategy: Any, count: int) -> list[Any]:
    """Return examples of one seed."""
    examples: list[Any] = []

    @seed(0)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: Any) -> None:
        examples.append(example)

    draw()
    return examples


def plot_orders(panel: Any, systems: dict[str, list[Any]], count: int) -> None:
    """Numbers of states, and the orders drawn for them."""
    pairs = stable_systems().flatmap(lambda s: st.tuples(st.just(s), orders(s)))
    cuts = [order for _, order in drawn(pairs, count)]
    bins = np.arange(8)
    width = 0.2
    for k, (name, found) in enumerate(systems.items()):
        shares = [np.mean([s.n_states == n for s in found]) for n in bins]
        panel.bar(bins + (k - 1.5) * width, shares, width, color=COLOURS[name])
    shares = [np.mean([cut == n for cut in cuts]) for n in bins]
    panel.bar(bins + 1.5 * width, shares, width, color="#888888", label="orders(...)")
    panel.legend(frameon=False)
    panel.set(title="states, and orders to reduce to", xlabel="n", ylabel="share")


def plot_poles(panel: Any, systems: dict[str, list[Any]], time: type) -> None:
    """Poles in the plane of one time domain."""
    for name, found in systems.items():
        poles = [np.asarray(poles_of(s)) for s in found if isinstance(s.time, time)]
        z = np.concatenate(poles)
        panel.plot(z.real, z.imag, ".", ms=3, alpha=0.5, color=COLOURS[name])
    if time is hc.Discrete:
        panel.add_patch(Circle((0, 0), 1, fill=False, color="black", lw=0.8))
        panel.set_aspect("equal")
    else:
        panel.axvline(0, color="black", lw=0.8)
    title = f"poles, {time.__name__.lower()} time"
    panel.set(title=title, xlabel="real part", ylabel="imaginary part")


def histogram(panel: Any, values: dict[str, list[float]], edges: Any) -> None:
    """Draw shares over logarithmic classes, one line for each strategy."""
    for (name, found), style in zip(
        values.items(), ("-", "-", "--", "--"), strict=False
    ):
        clipped = np.clip(found, edges[0], edges[-1])
        heights, _ = np.histogram(clipped, edges)
        panel.stairs(heights / len(found), edges, label=name, lw=1.6, ls=style)
    panel.set_xscale("log")
    panel.set_ylabel("share")
    panel.legend(frameon=False, fontsize=8)


def plot_margins(panel: Any, count: int) -> None:
    """Distances of the slowest pole from the stability boundary."""
    values = {}
    for name, strategy in {
        "stable, margin 0.1": stable_systems(),
        f"stable, margin {NEAR:g}": stable_systems(margin=NEAR),
        "diagonal, margin 1e-12": diagonal_systems(margin=1e-12),
    }.items():
        values[name] = [float(hc.stability_margin(s)) for s in drawn(strategy, count)]
    histogram(panel, values, np.geomspace(1e-12, 10, 27))
    panel.set(title="stability margin (damping)", xlabel="distance of slowest pole")


def plot_conditions(panel: Any, count: int) -> None:
    """Condition numbers of the eigenvectors."""
    values = {}
    for condition in (1.0, 1e3, 1e6):
        strategy = stable_systems(condition=condition, min_states=2)
        vectors = [np.linalg.eig(s.A)[1] for s in drawn(strategy, count)]
        values[f"condition={condition:g}"] = [np.linalg.cond(v) for v in vectors]
    histogram(panel, values, np.geomspace(1, 1e16, 33))
    panel.set(title="eigenvectors of A", xlabel="condition number")


def plot_gaps(panel: Any, count: int) -> None:
    """Ratios of neighbouring Hankel singular values."""
    values = {}
    for name, strategy in {
        "stable": stable_systems(min_states=2),
        "two copies": stable_systems(copies=2),
        "diagonal": diagonal_systems(min_states=2),
        "silent=1": stable_systems(silent=1, min_states=2),
    }.items():
        ratios: list[float] = []
        for system in drawn(strategy, count):
            found = np.asarray(hc.hankel_singular_values(system))
            kept = found[:-1] > 0
            ratios.extend(np.maximum(found[1:][kept] / found[:-1][kept], SMALLEST))
        values[name] = ratios
    histogram(panel, values, np.geomspace(SMALLEST, 1.0001, 33))
    panel.set(title="gaps between Hankel singular values", xlabel="next / this one")


def plot_kinds(panel: Any, count: int) -> None:
    """Shares of the kinds of nasty systems."""
    counts = Counter(kind for kind, _ in drawn(named_nasty_systems(), count))
    names = list(NASTY_KINDS)
    total = sum(counts.values())
    panel.barh(names, [counts[name] / total for name in names], color="#6b5b95")
    panel.axvline(1 / len(names), color="black", lw=0.8)
    panel.invert_yaxis()
    panel.set(title="kinds of nasty systems", xlabel="share")


def main() -> None:
    """Draw, plot and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    count = arguments.draws
    warnings.simplefilter("ignore", hc.NumericalWarning)
    systems = {
        "stable": drawn(stable_systems(), count),
        "diagonal": drawn(diagonal_systems(), count),
        "unstable": drawn(unstable_systems(), count),
    }
    figure = Figure(figsize=(16, 7.6), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    plot_orders(panels[0], systems, count)
    plot_poles(panels[1], systems, hc.Discrete)
    plot_poles(panels[2], systems, hc.Continuous)
    plot_margins(panels[4], count)
    plot_conditions(panels[5], count)
    plot_gaps(panels[6], count)
    plot_kinds(panels[7], count)
    # The colours of the first three panels.
    panels[3].axis("off")
    handles = [
        panels[3].plot([], [], "o", color=colour, label=f"{name}_systems")[0]
        for name, colour in COLOURS.items()
    ]
    panels[3].legend(handles=handles, loc="upper left", frameon=False)
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.picture, dpi=110)
    print(f"{arguments.picture}: {count} draws of each strategy")


if __name__ == "__main__":
    main()
