"""A flow as a picture: what is drawn, and that nothing in it lies on something else."""

import re
from io import StringIO
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.drawing import Arrow, Box, Drawing, Kind, Visits, draw
from ivr.flow.graph_command import run
from ivr.flow.layers import Link, Size, lay_out
from ivr.flow.loader import load_flow
from ivr.flow.mermaid import mermaid
from ivr.flow.svg import svg
from tests.flow.kitchen import FLOW

SHIPPED = sorted(
    path for path in (Path(__file__).parents[2] / "flows").glob("*.yaml") if ".scenarios" not in path.name
)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    path = tmp_path_factory.mktemp("flows") / "kitchen.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


def test_the_first_step_comes_first_and_every_outcome_has_an_arrow(kitchen):
    drawing = draw(kitchen)
    assert drawing.boxes[0] == Box(
        "ask", Kind.STEP, "ask", "menu", "Hello {{ name }}, 1 for good, 2 for bad."
    )
    arrows = {(arrow.source, arrow.target): arrow.labels for arrow in drawing.arrows}
    assert arrows == {
        ("ask", "when"): ("good (1)",),
        ("ask", "lookup"): ("bad (2)",),
        ("ask", "desk"): ("person (5)",),
        ("ask", "report"): ("otherwise",),
        ("when", "thanks"): ("next",),
        ("when", "report"): ("otherwise",),
        ("lookup", "told"): ("next",),
        ("lookup", "sorry"): ("otherwise",),
        ("told", "report"): (),
        ("sorry", "report"): (),
        ("thanks", "report"): (),
        ("desk", "report"): ("next",),
        ("desk", "sorry"): ("otherwise",),
        ("report", "bye"): (),
        ("on hangup", "report"): (),
    }


def test_boxes_tell_texts_and_values_as_an_author_thinks_of_them(tmp_path):
    path = tmp_path / "told.yaml"
    path.write_text(
        """flow: told
languages: [en]
params: {order: optional digits}
result: {done: {type: yes_no, default: false}}
start: hello
steps:
  hello: {say: hello, next: mark}
  mark: {set: {done: true}, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: "Hello.{% if order is not none %} Order {{ order }}.{% endif %} Thank you."}
""",
        encoding="utf-8",
    )
    said = {box.id: box.text for box in draw(load_flow(path)).boxes}
    assert said["hello"] == "Hello. Order {{ order }}. Thank you."
    assert said["mark"] == "done = true"


def test_visits_of_past_calls(kitchen):
    outcomes = {("ask", "good", "when"): 4, ("ask", "hangup", "report"): 1, ("when", "hangup", "report"): 1}
    visits = Visits(6, {"ask": 6, "when": 4}, outcomes)
    drawing = draw(kitchen, visits=visits)
    assert drawing.title == "kitchen · 6 calls"
    assert {box.id: box.visits for box in drawing.boxes if box.visits} == {
        "ask": 6,
        "when": 4,
        "on hangup": 2,
    }
    assert {a.visits for a in drawing.arrows if a.source == "ask"} == {4, 0}
    assert "×4" in mermaid(drawing)
    texts = [element.text for element in ET.fromstring(svg(drawing)).iter(SVG + "text")]
    assert {"menu · ×6", "good (1) ×4", "kitchen · 6 calls"} <= set(texts)


def test_mermaid_of_names_that_mean_something_to_it():
    boxes = (Box("end", Kind.STEP, 'say "hi"; #1 <b>', "menu"), Box("b", Kind.END, "b", "end"))
    text = mermaid(Drawing("x", boxes, (Arrow("end", "b", ("a|b", "c")), Arrow("b", "b", ()))))
    assert text.splitlines() == [
        "flowchart TD",
        '    s0["<b>say #34;hi#34;; #35;1 #60;b#62;</b><br/>menu"]',
        '    s1(["<b>b</b><br/>end"])',
        '    s0 -->|"a#124;b, c"| s1',
        "    s1 --> s1",
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", ["hi", "mr", "en"])
def test_nothing_overlaps_in_the_pictures_of_the_shipped_flows(path, language):
    picture = ET.fromstring(svg(draw(load_flow(path), language)))
    rects = [
        tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))
        for rect in picture.iter(SVG + "rect")
        if rect.get("class")
    ]
    assert len(rects) > 10
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(rects, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    width, height = float(picture.get("width")), float(picture.get("height"))
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in rects)


def test_a_picture_is_well_formed_whatever_stands_in_it():
    boxes = (Box("a", Kind.STEP, "<a> & 'b'", "say", 'x < y & "z" ' + "w" * 300),)
    picture = ET.fromstring(svg(Drawing("<t>", boxes, (Arrow("a", "a", ("<again>",)),))))
    assert "<a> & 'b'" in [element.text for element in picture.iter(SVG + "text")]


@st.composite
def graphs(draw_):
    count = draw_(st.integers(1, 9))
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda e: e[0] != e[1])
    links = draw_(st.lists(ends, max_size=14, unique=True)) if count > 1 else []
    sizes = st.builds(Size, st.floats(20, 300), st.floats(10, 90))
    boxes = {f"b{number}": draw_(sizes) for number in range(count)}
    labels = st.builds(Size, st.floats(5, 120), st.sampled_from([0.0, 17.0, 34.0]))
    return boxes, [Link(f"b{a}", f"b{b}", draw_(labels)) for a, b in links]


@given(graphs())
def test_boxes_and_labels_never_touch(graph):
    boxes, links = graph
    layout = lay_out(boxes, links, {"b0": 30.0})
    places = [(at, boxes[name]) for name, at in layout.boxes.items()]
    places += [
        (route.label, link.label)
        for route, link in zip(layout.routes, links, strict=True)
        if link.label.height
    ]
    for (a, size_a), (b, size_b) in combinations(places, 2):
        apart_x = abs(a.x - b.x) - (size_a.width + size_b.width) / 2
        apart_y = abs(a.y - b.y) - (size_a.height + size_b.height) / 2
        assert max(apart_x, apart_y) > -1e-6
    for link, route in zip(links, layout.routes, strict=True):
        for name, end in ((link.source, route.points[0]), (link.target, route.points[-1])):
            box, size = layout.boxes[name], boxes[name]
            assert abs(end.x - box.x) < size.width / 2
            assert abs(abs(end.y - box.y) - size.height / 2) < 1e-6


def test_arrows_lead_down_unless_they_go_back():
    size, none = Size(50, 30), Size(5, 0)
    layout = lay_out(
        dict.fromkeys("abc", size), [Link("a", "b", none), Link("b", "c", none), Link("c", "a", none)], {}
    )
    assert layout.boxes["a"].y < layout.boxes["b"].y < layout.boxes["c"].y
    down, _, back = layout.routes
    assert down.points[0].y < down.points[-1].y
    assert back.points[0].y > back.points[-1].y


def test_a_flow_of_many_steps_is_drawn_soon(tmp_path):
    """Lines to one box run together: else their number would grow with the square of the steps."""
    count = 120
    names = [f"b{number}" for number in range(count)]
    links = [Link(a, b, Size(20, 17)) for a, b in pairwise(names)]
    links += [Link(name, names[-1], Size(20, 17)) for name in names[:-2]]
    layout = lay_out(dict.fromkeys(names, Size(60, 30)), links, {})
    assert layout.size.width < 2000
    assert len(layout.routes) == len(links)


def test_the_command_prints_or_writes(tmp_path, capsys):
    out = StringIO()
    assert run(SHIPPED[0], out=out) == 0
    assert out.getvalue().startswith("flowchart TD\n")
    file = tmp_path / "flow.svg"
    assert run(SHIPPED[0], "svg", "mr", file, out=out) == 0
    assert re.search(r"[\u0900-\u097f]", file.read_text(encoding="utf-8"))
    assert run(SHIPPED[0], "svg", "ta", out=out) == 1
    assert "speaks hi, mr, en, not ta" in capsys.readouterr().err
    (tmp_path / "x.yaml").write_text("flow: x")
    assert run(tmp_path / "x.yaml", out=out) == 1


def test_where_callers_hung_up_stands_in_words_and_not_by_colour_alone(kitchen):
    visits = Visits(100, {"ask": 100, "lookup": 40, "bye": 30}, {}, {"ask": 3, "lookup": 8, "bye": 5})
    drawing = draw(kitchen, None, visits)
    assert {box.id: box.lost for box in drawing.boxes if box.lost} == {"ask": 3, "lookup": 8}  # bye ends it
    root = ET.fromstring(svg(drawing))
    said = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "lost"]
    assert said == ["3 hung up here (3%)", "8 hung up here (20%)"]
    classes = {
        box.get("data-step"): box.get("class") for box in root.iter(f"{SVG}rect") if box.get("data-step")
    }
    assert (classes["ask"], classes["lookup"], classes["bye"]) == ("box loss-1", "box loss-3", "box end")
    assert set(classes) == {box.id for box in drawing.boxes}
