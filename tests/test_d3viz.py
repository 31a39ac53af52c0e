"""Graphs as pages: everything inside one file, every node on it."""

import html
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import theano
import theano.d3viz as d3v
import theano.tensor as T
from theano.d3viz.formatting import PyDotFormatter, type_to_str, views
from theano.graph import traverse


@pytest.fixture
def graph():
    """A function with graphs inside of graphs: two OpFromGraphs, one in the other, and a loop."""
    x, y = T.dmatrices("x", "y")
    inner = theano.OpFromGraph([x, y], [T.exp(x) + y * 2])
    outer = theano.OpFromGraph([x, y], [inner(x, y) - T.log(y)])
    rows, _ = theano.scan(lambda row: T.tanh(row), sequences=[x])
    return [x, y], [outer(x, y) * 3, rows]


def page_of(path):
    text = path.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return text, json.loads(data.group(1))


def nodes_in(outputs):
    """The names of all steps, also of those inside."""
    found = []
    for node in traverse.toposort(outputs):
        found.append(str(node.op))
        found += nodes_in(getattr(node.op, "inner_outputs", []))
    return sorted(found)


def test_a_page_has_every_node_also_those_inside(tmp_path, graph):
    _, outputs = graph
    path = tmp_path / "new folder" / "graph.html"
    d3v.d3viz(outputs, path)
    _, data = page_of(path)
    labels = [box["label"] for view in data for box in view["boxes"] if box["shape"] == "ellipse"]
    assert sorted(labels) == nodes_in(outputs)
    assert [view["title"] for view in data].count("OpFromGraph{inline=False}") == 2
    inside = [box["inside"] for view in data for box in view["boxes"] if "inside" in box]
    assert sorted(inside) == list(range(1, len(data)))  # every graph can be opened, from one place
    for view in data:
        count = len(view["boxes"])
        assert all(0 <= a < count and 0 <= b < count for a, b, *_ in view["arrows"])


def test_a_page_needs_nothing_from_anywhere(tmp_path, graph):
    inputs, outputs = graph
    path = tmp_path / "graph.html"
    d3v.d3viz(theano.function(inputs, outputs), str(path), copy_deps=False)
    text, _ = page_of(path)
    addresses = set(re.findall(r"https?://[^\s\"']+|(?<=[\"'(])//[\w.]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of a language, not a place
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=", text)
    assert not re.findall(r"@import|fetch\(|XMLHttpRequest|import\(", text)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["graph.html"]


def test_a_page_is_well_formed_and_has_a_still_picture(tmp_path, graph):
    _, outputs = graph
    path = tmp_path / "a & b.html"
    d3v.d3viz(outputs, path)
    text, _ = page_of(path)
    assert "<title>a &amp; b.html</title>" in text
    assert "%%" not in text
    still = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL).group(1)
    labels = {part.text for part in ElementTree.fromstring(still).iter() if part.text}
    assert "OpFromGraph{inline=False}" in labels
    wanted = set(re.findall(r'getElementById\("(\w+)"\)', text))
    assert wanted <= set(re.findall(r'id="(\w+)"', text))


def test_names_cannot_break_a_page(tmp_path):
    x = T.dvector("</script><script>alert(1)</script>")
    path = tmp_path / "graph.html"
    d3v.d3viz(T.exp(x), path)
    text, data = page_of(path)
    assert text.count("<script") == 2
    assert "alert(1)" in data[0]["boxes"][0]["label"]
    assert "<script>alert" not in html.unescape(text.split("<noscript>")[0])


def test_details_and_times(tmp_path, graph):
    inputs, outputs = graph
    quiet = theano.ProfileStats(atexit_print=False)
    f = theano.function(inputs, outputs, profile=quiet, mode="FAST_COMPILE")
    f(np.ones((2, 2)), np.ones((2, 2)))
    boxes = views(f)[0]["boxes"]
    assert any("time: " in box["details"] for box in boxes)
    assert max(box.get("heat", 0) for box in boxes) == 1
    exp = next(box for box in boxes if "exp" in box["label"])
    assert "class: Elemwise" in exp["details"]
    assert "output 0: float64 matrix" in exp["details"]
    assert "test_d3viz.py" in exp["details"]


@pytest.mark.parametrize("kind", ["function", "graph", "variable", "node", "list"])
def test_what_can_be_drawn(tmp_path, kind):
    x = T.dvector("x")
    y = T.exp(x)
    things = {
        "function": theano.function([x], y), "graph": theano.FunctionGraph([x], [y]),
        "variable": y, "node": y.owner, "list": [y, x],
    }  # fmt: skip
    d3v.d3viz(things[kind], tmp_path / "graph.html")
    _, data = page_of(tmp_path / "graph.html")
    assert "Elemwise{exp,no_inplace}" in [box["label"] for box in data[0]["boxes"]]
    with pytest.raises(TypeError):
        d3v.d3viz("exp", tmp_path / "other.html")


def test_graphviz(tmp_path, graph):
    _, outputs = graph
    d3v.d3write(outputs, tmp_path / "graph.dot")
    text = (tmp_path / "graph.dot").read_text()
    assert text.startswith("digraph")
    assert "OpFromGraph" in text


def test_formatting():
    assert type_to_str(T.dmatrix) == "float64 matrix"
    assert d3v.replace_patterns("a b", {"a": "c"}) == "c b"
    assert json.loads(d3v.safe_json(["<&>"])) == ["<&>"]
    try:
        import pydot  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pip install pydot"):
            PyDotFormatter()(T.exp(T.dvector()))
    else:
        assert "exp" in PyDotFormatter()(T.exp(T.dvector())).to_string()


def test_it_is_loaded_when_it_is_asked_for():
    import subprocess
    import sys

    code = (
        "import sys, theano, theano.tensor; assert not [m for m in sys.modules if 'd3viz' in m or "
        "'rewriters' in m or 'databases' in m]; theano.d3viz; assert 'theano.d3viz' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
