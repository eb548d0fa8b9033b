"""Plots of the report, as pieces of HTML that need plotly's script in the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

# readable on white and on black
COLOURS = ("#3b82c4", "#e08a2e", "#3aa675", "#b05fc0", "#c94f4f", "#8a7f3a", "#3fa7b8", "#7a74d6")
GREY = "#8a8f98"
AXIS: dict[str, Any] = {"gridcolor": "rgba(138,143,152,.25)", "zeroline": False}
LEGEND: dict[str, Any] = {"orientation": "h", "x": 1.0, "xanchor": "right"}
MANY = 3  # groups, whose names need a place above the plot

Points = Sequence[tuple[float, float]]


def curves(groups: Mapping[str, Points], x: str = "step", until: float | None = None) -> str:
    """A line for each group of points; a dashed vertical one at `until`."""
    figure = go.Figure()
    for i, (group, values) in enumerate(groups.items()):
        xs, ys = zip(*values, strict=True)
        mode = "lines" if len(values) > 1 else "markers"
        colour = COLOURS[i % len(COLOURS)]
        figure.add_scatter(x=xs, y=ys, name=group, mode=mode, line={"color": colour, "width": 2})
    figure.update_layout(
        xaxis={**AXIS, "title": x, "rangemode": "tozero"},
        yaxis={**AXIS, "exponentformat": "power"},
        showlegend=len(groups) > 1,
        legend={**LEGEND, "y": 1.0, "yanchor": "top" if len(groups) < MANY else "bottom"},
        hovermode="x unified",
    )
    if until is not None:
        figure.add_vline(x=until, line={"color": GREY, "dash": "dash", "width": 1})
    return _html(figure, 260, top=8 if len(groups) < MANY else 44)


def beside(panels: Mapping[str, Mapping[str, Points]], columns: int = 3) -> str:
    """A small panel for each name, all with the same groups of points; one legend."""
    rows = -(-len(panels) // columns)
    figure = make_subplots(rows, columns, subplot_titles=list(panels), vertical_spacing=0.4 / rows)
    for i, groups in enumerate(panels.values()):
        for (group, values), colour in zip(groups.items(), COLOURS, strict=False):
            xs, ys = zip(*values, strict=True)
            figure.add_scatter(
                x=xs,
                y=ys,
                name=group,
                legendgroup=group,
                showlegend=i == 0,
                mode="lines",
                line={"color": colour, "width": 1.5},
                row=i // columns + 1,
                col=i % columns + 1,
            )
    figure.update_xaxes(**AXIS)
    figure.update_yaxes(**AXIS)
    figure.update_annotations(font={"size": 12, "color": GREY})
    figure.update_layout(legend={**LEGEND, "y": 1.0 + 0.15 / rows, "yanchor": "bottom"})
    return _html(figure, 40 + 160 * rows, top=44)


def _html(figure: go.Figure, height: int, top: int) -> str:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 56, "r": 12, "t": top, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "size": 12},
        hoverlabel={"bgcolor": "#2a2d31", "font": {"color": "#ffffff"}},
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False}))
