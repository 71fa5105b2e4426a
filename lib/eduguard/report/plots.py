"""Plots as SVG; the colours come from the page; pure."""

from collections.abc import Iterator
from decimal import Decimal

from eduguard.evaluation import Scores, Tally
from eduguard.evaluation.searches import STEPS

_WIDTH, _HEIGHT = 860, 300
_BAR = 2  # width in points of similarity
_FULL = 100


def plot_similarities(scores: Scores, threshold: float) -> str:
    """Return a plot of the similarities of own photos and of strangers, with the threshold.

    Each line shows per cent of its own kind, because there are many more pairs of strangers.
    """
    import leather

    own, strangers = _shares(scores.own), _shares(scores.strangers)
    highest = max([1.0, *own, *strangers])
    chart = leather.Chart()
    chart.add_x_scale(0, _FULL)
    chart.add_y_scale(0, highest)
    chart.add_line(list(_outline(own)), name="own photos", stroke_color="var(--own)")
    chart.add_line(list(_outline(strangers)), name="strangers", stroke_color="var(--strangers)")
    limit = Decimal(f"{threshold:g}")
    chart.add_line([(limit, 0), (limit, highest)], name=f"match_threshold {limit}", stroke_color="var(--threshold)")
    chart.add_x_axis(name="similarity")
    chart.add_y_axis(name="% of pairs")
    drawn: str = chart.to_svg(width=_WIDTH, height=_HEIGHT)
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    return drawn.replace(size, f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="plot-text"', 1)


def _shares(tally: Tally) -> list[float]:
    """Return the percentage of a tally in each bar; a similarity of 100 is in the last bar."""
    bars = [0] * (_FULL // _BAR)
    for step, count in tally.counts.items():
        bars[min(step // (STEPS * _BAR), len(bars) - 1)] += count
    return [100 * count / (tally.total or 1) for count in bars]


def _outline(bars: list[float]) -> Iterator[tuple[float, float]]:
    yield (0, 0)
    for number, share in enumerate(bars):
        yield (number * _BAR, share)
        yield ((number + 1) * _BAR, share)
    yield (_FULL, 0)
