"""Charts as SVG files, drawn by pygal: no script in them, readable on light and dark. Pages show them as images."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import pygal
from flask import Response
from pygal.style import Style

# pygal leaves an importer for plug-ins behind that is older than Python 3.4's protocol: every later import would warn.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]

LABELS_MAX: Final = 10  # below a chart: more would touch each other
LABEL_CHARACTERS: Final = 100  # of all labels together

_STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#7a8894",
    foreground_strong="#7a8894",
    foreground_subtle="#7a8894",
    colors=("#17998d", "#c2701d", "#7a63c9", "#3f7fbf"),
    opacity=".85",
    guide_stroke_color="#9aa6b080",
    major_guide_stroke_color="#9aa6b0",
    guide_stroke_dasharray="2,4",
    major_guide_stroke_dasharray="2,4",
    font_family="system-ui, sans-serif",
    stroke_width="2.5",
    title_font_size=12,
    label_font_size=12,
    major_label_font_size=12,
)


def stepped(label: str, points: Sequence[tuple[float, float]]) -> Response:
    """A line through points, seconds across, as an SVG file."""
    made = pygal.XY(style=_STYLE, width=900, height=280, show_legend=False, js=(), margin=4, explicit_size=False, show_dots=False,
                    no_data_text="Nothing to plot yet", include_x_axis=True, disable_xml_declaration=True,
                    x_title="seconds", xrange=(0, points[-1][0] if points else 1))  # fmt: skip
    made.add(label, list(points))
    return _as_file(made)


MOS_RANGE: Final = (1, 4.5)


def over_time(lines: Mapping[str, Sequence[tuple[float, float | None]]]) -> Response:
    """A line of mean opinion scores for each leg, seconds across, broken where there is none, as an SVG file."""
    made = pygal.XY(style=_STYLE, width=900, height=300, legend_at_bottom=True, js=(), margin=4, explicit_size=False,
                    show_dots=False, no_data_text="Nothing to judge yet", disable_xml_declaration=True, range=MOS_RANGE,
                    y_labels=(1, 2, 3, 4, 4.5), allow_interruptions=True, x_title="seconds")  # fmt: skip
    for label, points in lines.items():
        made.add(label, list(points))
    return _as_file(made)


def drawn(label: str, names: Sequence[str], values: Sequence[float | None], *, as_line: bool = False) -> Response:
    """A chart as an SVG file, readable on light and dark, without any script."""
    kind = pygal.Line if as_line else pygal.Bar
    every = -(-len(names) // LABELS_MAX) or 1
    places = min(len(names), LABELS_MAX) or 1
    made = kind(style=_STYLE, width=900, height=280, show_legend=False, js=(), x_label_rotation=0, margin=4, explicit_size=False,
                x_labels_major=list(names)[::every], show_minor_x_labels=False, no_data_text="No calls",
                include_x_axis=True, disable_xml_declaration=True,
                truncate_label=max(6, LABEL_CHARACTERS // places))  # fmt: skip
    made.x_labels = list(names)
    made.add(label, list(values))
    return _as_file(made)


def _as_file(made: Any) -> Response:
    """The chart without the script that the library puts into it."""
    tree = made.render_tree()
    for parent in tree.iter():
        for child in [each for each in parent if str(each.tag).endswith("script")]:
            parent.remove(child)
    return Response(ElementTree.tostring(tree), mimetype="image/svg+xml")
