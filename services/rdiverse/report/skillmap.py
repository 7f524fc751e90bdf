"""A map of the kept questions' programs: the plane in which their vectors differ most."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from rdiverse.report.marks import element, joined

SIZE = 360
MARGIN = 12
MAX_POINTS = 2400
"""Questions on the map; more are thinned evenly."""
CELLS = 240
"""Points nearer than 1/240 of the map are drawn as one, its area growing with their number."""

# From blue over magenta to amber: told apart without red or green as well, and clear of light and of dark paper.
_STOPS = ((0x2F, 0x62, 0xC4), (0xB0, 0x50, 0x7A), (0xD0, 0x8A, 0x00))


@dataclass(frozen=True)
class Dot:
    """Questions of one iteration at one place of the map, its sides being 0 and 1."""

    x: float
    y: float
    iteration: int
    count: int
    question: str


@dataclass(frozen=True)
class SkillMap:
    """The dots, and how much of the vectors' variance the plane shows."""

    dots: list[Dot]
    explained: float
    shown: int
    """Questions on the map."""
    total: int
    """Questions that were kept."""


def project(groups: Sequence[tuple[int, npt.NDArray[np.float32], Sequence[str]]]) -> SkillMap | None:
    """Place questions by the first two principal components of all vectors; None with fewer than three of them.

    A group is an iteration, its (n, dimension) vectors and its n questions. Nothing is random: thinning takes every
    k-th question, and each axis points to where its largest entry is positive.
    """
    total = sum(len(questions) for _, _, questions in groups)
    stride = max(1, -(-total // MAX_POINTS))
    vectors = [v[::stride] for _, v, questions in groups if questions]
    owners = [(t, question) for t, _, questions in groups for question in questions[::stride]]
    if len(owners) < 3:
        return None
    plane, explained = _principal_plane(np.concatenate(vectors).astype(np.float64))
    low, high = plane.min(axis=0), plane.max(axis=0)
    extent = float((high - low).max()) or 1.0
    unit = (plane - (low + high) / 2) / extent + 0.5
    cells: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for i, (x, y) in enumerate(np.round(unit * CELLS).astype(int)):
        cells[owners[i][0], int(x), int(y)].append(i)
    dots = [Dot(x / CELLS, y / CELLS, t, len(rows), owners[rows[0]][1]) for (t, x, y), rows in sorted(cells.items())]
    return SkillMap(dots, explained, len(owners), total)


def draw(found: SkillMap, iterations: Sequence[int], only: int | None = None) -> Markup:
    """Draw all dots, or those of one iteration before the earlier ones in grey."""
    most = max(dot.count for dot in found.dots)
    earlier: list[Markup] = []
    present: list[Markup] = []
    for dot in found.dots:
        if only is not None and dot.iteration > only:
            continue
        grey = only is not None and dot.iteration < only
        (earlier if grey else present).append(_dot(dot, most, None if grey else colour(dot.iteration, iterations)))
    name = "Map of kept questions by program" if only is None else f"The map in iteration {only}"
    frame = element("rect", x=0.5, y=0.5, width=SIZE - 1.0, height=SIZE - 1.0, class_="frame")
    content = element("title", name) + frame + joined(earlier) + joined(present)
    return element("svg", content, viewBox=f"0 0 {SIZE} {SIZE}", role="img", class_="chart map")


def colour(iteration: int, iterations: Sequence[int]) -> str:
    """The colour of an iteration among all of them."""
    position = (len(_STOPS) - 1) * (iterations.index(iteration) / (len(iterations) - 1) if len(iterations) > 1 else 0)
    i = min(int(position), len(_STOPS) - 2)
    mixed = (round(a + (b - a) * (position - i)) for a, b in zip(_STOPS[i], _STOPS[i + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _dot(dot: Dot, most: int, fill: str | None) -> Markup:
    radius = 2.0 + 8.0 * ((dot.count - 1) / max(most - 1, 1)) ** 0.5
    span = SIZE - 2 * MARGIN
    others = f" and {dot.count - 1} more" if dot.count > 1 else ""
    title = element("title", f"iteration {dot.iteration}: {dot.question}{others}")
    position = {"cx": MARGIN + span * dot.x, "cy": MARGIN + span * (1 - dot.y), "r": radius}
    return (
        element("circle", title, **position, fill=fill, class_="dot")
        if fill
        else element("circle", title, **position, class_="past")
    )


def _principal_plane(vectors: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """(n, 2) coordinates and the share of variance they hold, by subspace iteration: only two of many components are wanted."""
    centred = vectors - vectors.mean(axis=0)
    total = float((centred**2).sum())
    if total == 0:
        return np.zeros((len(vectors), 2)), 1.0
    basis = np.random.default_rng(0).normal(size=(vectors.shape[1], min(16, vectors.shape[1])))
    for _ in range(20):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    left, lengths, _ = np.linalg.svd(centred @ basis, full_matrices=False)
    top = left[:, :2] * np.sign(left[np.abs(left[:, :2]).argmax(axis=0), [0, 1]])
    return top * lengths[:2], float((lengths[:2] ** 2).sum() / total)
