"""The few charts of an evaluation as SVG: small, readable without a script, in light and in dark."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Json = Mapping[str, Any]
Point = tuple[float, float]

# Narrow enough that its letters stay readable on a telephone.
_WIDTH, _HEIGHT = 420, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 42
_ROW = 26  # of an interval chart
_NAME_WIDTH, _VALUE_WIDTH = 128, 44
# Okabe and Ito's colours, which colour-blind readers can tell apart; the dashes do it without any colour.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "10 4")
# A handful of sentences makes the beginning of a risk-coverage curve jump between 0 and 1.
_LEAST_COVERAGE = 0.02
_STYLE = (
    "<style>.sl-chart{color:#1f2933;font:12px system-ui,sans-serif}.sl-chart text{fill:currentColor}"
    ".sl-grid{stroke:currentColor;stroke-opacity:.14}.sl-axis{stroke:currentColor;stroke-opacity:.45}"
    ".sl-diagonal{stroke:currentColor;stroke-opacity:.5;stroke-dasharray:3 3}"
    "@media (prefers-color-scheme:dark){.sl-chart{color:#d8dee6}}</style>"
)


def reliability_chart(series: Mapping[str, Sequence[Json]], title: str) -> str:
    """Accuracy against confidence; on the diagonal a confidence means what it says.

    Args:
        series: Name -> bins with `confidence`, `accuracy`, `count`.
        title: What the chart shows, for readers who cannot see it.
    """
    body = [f'<line class="sl-diagonal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>']
    for number, (name, bins) in enumerate(series.items()):
        points = [(found["confidence"], found["accuracy"]) for found in bins if found["count"]]
        body += [
            _line(points, number),
            *_dots(points, number),
            _legend(name, number, _LEFT + 10, _TOP + 14 + 18 * number),
        ]
    return _framed(body, "confidence", "accuracy", title)


def risk_coverage_chart(curves: Mapping[str, Sequence[Json]], title: str) -> str:
    """The share of mistakes among the most confident predictions, against how many are kept.

    Args:
        curves: Field -> points with `coverage` and `risk`.
        title: What the chart shows.
    """
    kept = [point for curve in curves.values() for point in curve if point["coverage"] >= _LEAST_COVERAGE]
    top = max([point["risk"] for point in kept], default=0.0)
    ceiling = next(step for step in (0.1, 0.2, 0.3, 0.5, 1.0) if top <= step)
    body = []
    for number, (name, curve) in enumerate(curves.items()):
        points = [(p["coverage"], p["risk"] / ceiling) for p in curve if p["coverage"] >= _LEAST_COVERAGE]
        body += [_line(points, number), _legend(name, number, _LEFT + 10, _TOP + 14 + 18 * number)]
    return _framed(body, "share of the sentences that is kept", "share of mistakes", title, y_top=ceiling)


def interval_chart(rows: Sequence[tuple[str, Json, bool]], title: str) -> str:
    """Figures from 0 to 1 with their intervals, one below the other.

    Args:
        rows: Name, figure with `value`, `low`, `high`, and whether it is the one that the others are compared with.
        title: What the chart shows.
    """
    height = _ROW * len(rows) + 30
    start, end = _NAME_WIDTH, _WIDTH - _VALUE_WIDTH

    def x(value: float) -> float:
        return round(start + value * (end - start), 1)

    body = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        body.append(f'<line class="sl-grid" x1="{x(tick)}" y1="6" x2="{x(tick)}" y2="{height - 24}"/>')
        body.append(f'<text x="{x(tick)}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for number, (name, figure, main) in enumerate(rows):
        y = 6 + _ROW * number + _ROW / 2
        weight = ' font-weight="650"' if main else ""
        body.append(f'<text x="{start - 10}" y="{y + 4}" text-anchor="end"{weight}>{escape(name)}</text>')
        if figure["value"] is None:
            body.append(f'<text x="{_WIDTH - 4}" y="{y + 4}" text-anchor="end">–</text>')
            continue
        colour = _COLOURS[0] if main else "currentColor"
        if figure["low"] is not None:
            low, high = x(figure["low"]), x(figure["high"])
            body.append(f'<line x1="{low}" y1="{y}" x2="{high}" y2="{y}" stroke="{colour}" stroke-width="2.5"/>')
        body.append(f'<circle cx="{x(figure["value"])}" cy="{y}" r="4.5" fill="{colour}"/>')
        body.append(f'<text x="{_WIDTH - 4}" y="{y + 4}" text-anchor="end"{weight}>{figure["value"]:.3f}</text>')
    return _svg(body, height, title)


def _framed(body: Sequence[str], x_name: str, y_name: str, title: str, *, y_top: float = 1.0) -> str:
    frame = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        frame.append(f'<line class="sl-grid" x1="{_x(tick)}" y1="{_y(0)}" x2="{_x(tick)}" y2="{_y(1)}"/>')
        frame.append(f'<line class="sl-grid" x1="{_x(0)}" y1="{_y(tick)}" x2="{_x(1)}" y2="{_y(tick)}"/>')
        frame.append(f'<text x="{_x(tick)}" y="{_y(0) + 16}" text-anchor="middle">{tick:g}</text>')
        frame.append(f'<text x="{_LEFT - 6}" y="{_y(tick) + 4}" text-anchor="end">{tick * y_top:g}</text>')
    frame.append(f'<path class="sl-axis" fill="none" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>')
    frame.append(f'<text x="{(_x(0) + _x(1)) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>')
    middle = (_y(0) + _y(1)) / 2
    frame.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(y_name)}</text>'
    )
    return _svg([*frame, *body], _HEIGHT, title)


def _svg(body: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sl-chart" viewBox="0 0 {_WIDTH} {height:g}" role="img">'
        f"<title>{escape(title)}</title>{_STYLE}{''.join(body)}</svg>"
    )


def _x(value: float) -> float:
    return round(_LEFT + value * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float) -> float:
    return round(_HEIGHT - _BOTTOM - value * (_HEIGHT - _TOP - _BOTTOM), 1)


def _line(points: Sequence[Point], number: int) -> str:
    path = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
    return f'<polyline fill="none" stroke-width="2" {_stroke(number)} points="{path}"/>'


def _dots(points: Sequence[Point], number: int) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    return [f'<circle cx="{_x(x)}" cy="{_y(y)}" r="3" fill="{colour}"/>' for x, y in points]


def _legend(name: str, number: int, x: float, y: float) -> str:
    return (
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke-width="2" {_stroke(number)}/>'
        f'<text x="{x + 28}" y="{y}">{escape(name)}</text>'
    )


def _stroke(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f'stroke="{_COLOURS[number % len(_COLOURS)]}"' + (f' stroke-dasharray="{dash}"' if dash else "")
