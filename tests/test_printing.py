"""Formulas, trees, outlines, pictures."""

import io
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.graph import text as graph_text
from theano.graph.nodes import Apply, Op
from theano.graph.text import expression, letters
from theano.printing import (
    FunctionPrinter,
    IgnorePrinter,
    PatternPrinter,
    PPrinter,
    debugprint,
    min_informative_str,
    pp,
    pprint,
    pydotprint,
    var_descriptor,
)


@pytest.fixture
def xy():
    return T.dscalars("x", "y")


class Twin(Op):
    """Two outputs, two inputs."""

    __props__ = ()
    view_map: ClassVar = {1: [0]}

    def make_node(self, a, b):
        return Apply(self, [a, b], [a.type(), b.type()])


# ---- formulas


FORMULAS = [
    (lambda x, y: x + y, "(x + y)"),
    (lambda x, y: x + y + x, "((x + y) + x)"),
    (lambda x, y: T.add(x, y, x), "(x + y + x)"),
    (lambda x, y: x - y, "(x - y)"),
    (lambda x, y: -(x * y), "(-(x * y))"),
    (lambda x, y: x / y, "(x / y)"),
    (lambda x, y: x // y, "(x // y)"),
    (lambda x, y: x % y, "(x % y)"),
    (lambda x, y: x**y, "(x ** y)"),
    (lambda x, y: abs(x), "|x|"),
    (lambda x, y: T.exp(x), "exp(x)"),
    (lambda x, y: T.gt(x, y), "gt(x, y)"),
    (lambda x, y: T.fill(x, y), "fill(x, y)"),
    (lambda x, y: x**2, "(x ** TensorConstant{2})"),
    (lambda x, y: T.dmatrix("m").sum(), "sum(m)"),
    (lambda x, y: T.dmatrix("m").T, "m.T"),
    (lambda x, y: T.dvector("v") + x, "(v + x)"),
    (lambda x, y: T.dvector("v")[0], "v[0]"),
    (lambda x, y: T.dmatrix("m")[1:, ::-1], "m[1:, ::-1]"),
    (lambda x, y: T.dmatrix("m")[T.cast(x, "int64")].sum(), "sum(m[Elemwise{Cast{int64}}(x)])"),
    (lambda x, y: T.dvector("v")[T.lvector("i")], "v[i]"),
    (lambda x, y: T.dmatrix("m").shape[0], "m.shape[0]"),
    (lambda x, y: T.dot(T.dmatrix("a"), T.dmatrix("b")), r"(a \dot b)"),
]


@pytest.mark.parametrize(("build", "text"), FORMULAS)
def test_formula(xy, build, text):
    assert pp(build(*xy)) == text
    assert pprint(build(*xy)) == text


def test_formula_of_a_gradient(xy):
    x, _ = xy
    assert pp(T.grad(x**2, x)) == (
        "((fill((x ** TensorConstant{2}), TensorConstant{1.0}) * TensorConstant{2}) * "
        "(x ** (TensorConstant{2} - TensorConstant{1})))"
    )


def test_formula_of_logistic_regression():
    x, w, b = T.dmatrix("x"), T.dvector("w"), T.dscalar("b")
    prediction = 1 / (1 + T.exp(-T.dot(x, w) - b)) > 0.5
    assert pprint(prediction) == (
        "gt((TensorConstant{1} / (TensorConstant{1} + exp(((-(x \\dot w)) - b)))), "
        "TensorConstant{0.5})"
    )


def test_formula_of_leaves():
    assert pp(T.dscalar("x")) == "x"
    assert pp(T.dscalar()) == "<TensorType(float64, scalar)>"
    assert pp(T.constant(2)) == "TensorConstant{2}"


def test_deep_formula():
    x = T.dscalar("x")
    y = x
    for _ in range(5000):
        y = T.exp(y)
    assert pp(y) == "exp(" * 5000 + "x" + ")" * 5000


def test_formula_that_would_be_endless_is_cut():
    x = T.dscalar("x")
    for _ in range(100):
        x = x + x
    assert len(pp(x)) < 2_000_000
    assert "debugprint" in pp(x)


def test_assigned_printers(xy):
    x, y = xy
    mine = PPrinter()
    mine.assign(T.exp, PatternPrinter("e^%(0)s"))
    mine.assign(T.add, FunctionPrinter("plus"))
    mine.assign(T.neg, IgnorePrinter())
    mine.assign(lambda pstate, r: r.name == "y", lambda r, pstate: "Y!")
    assert mine(T.exp(x + y)) == "e^plus(x, Y!)"
    assert mine(-x) == "x"
    assert pp(T.exp(x + y)) == "exp((x + y))"


def test_printer_of_several_outputs(xy):
    a, b = Twin()(*xy)
    mine = PPrinter()
    mine.assign(Twin(), FunctionPrinter("first", "second"))
    assert mine(a + b) == "(first(x, y) + second(x, y))"


def test_printer_may_call_the_printer_it_is_in(xy):
    class Bracket:
        def process(self, output, pstate):
            return f"[{pstate.pprinter.process(output.owner.inputs[0], pstate)}]"

    mine = pprint.clone_assign(T.exp, Bracket())
    assert mine(T.exp(T.exp(xy[0])) + 1) == "([[x]] + TensorConstant{1})"


def test_equations_of_a_graph(xy):
    x, y = xy
    s = x + y
    s.name = "s"
    text = pprint.process_graph([x, y], [s * s, T.exp(s)], display_inputs=True)
    assert text.splitlines() == [
        "inputs: x, y",
        "s = (x + y)",
        "out[0] = (s * s)",
        "out[1] = exp(s)",
    ]
    assert pprint([x, y], s * 2).splitlines()[-1] == "return (s * TensorConstant{2})"


# ---- trees


def tree(obj, **options):
    return debugprint(obj, file="str", **options)


def test_tree(xy):
    x, y = xy
    total = x + y
    total.name = "total"
    assert tree(total * x) == (
        "Elemwise{mul,no_inplace} [id A] ''   \n"
        " |Elemwise{add,no_inplace} [id B] 'total'   \n"
        " | |x [id C]\n"
        " | |y [id D]\n"
        " |x [id C]\n"
    )


def test_tree_expands_what_is_shared_once(xy):
    x, y = xy
    z = T.exp(x + y)
    assert tree(z * z).count("Elemwise{add") == 1
    assert tree(z * z).count("Elemwise{exp") == 2


def test_last_input_has_no_bar_below(xy):
    x, y = xy
    assert tree(x * (x + y)).splitlines()[3:] == ["   |x [id B]", "   |y [id D]"]


def test_tree_options(xy):
    x, y = xy
    z = T.exp(x + y)
    assert "<TensorType(float64, scalar)>" in tree(z, print_type=True)
    assert tree(z, depth=1).count("\n") == 1
    assert "[id 0]" in tree(z, ids="int")
    assert f"[id {id(x)}]" in tree(z, ids="id")
    assert "id" not in tree(z, ids="")
    z.name = "z"
    assert "add" not in tree(z + 1, stop_on_name=True).split("'z'")[1]
    assert "clients=" in tree(z, print_clients=True)
    with pytest.raises(ValueError, match="ids"):
        tree(z, ids="hex")


def test_tree_goes_to_stdout_or_a_file(xy, capsys):
    x, _ = xy
    assert debugprint(x) is None
    assert capsys.readouterr().out == "x [id A]\n"
    file = io.StringIO()
    debugprint(x, file=file)
    assert file.getvalue() == "x [id A]\n"


def test_tree_keeps_ids_between_calls(xy):
    x, y = xy
    done, used = {}, {}
    z = x + y
    first = tree(z, done=done, used_ids=used)
    second = tree(T.exp(z), done=done, used_ids=used)
    assert "[id A]" in first.splitlines()[0]
    assert "[id A]" in second.splitlines()[1]
    assert len(second.splitlines()) == 2


def test_tree_of_several_things(xy):
    x, y = xy
    z = x + y
    assert tree([z, z.owner, [x]]).count("\n") == 5
    assert tree(z.owner) == tree(z)
    with pytest.raises(TypeError, match="cannot print"):
        debugprint(3)


def test_tree_of_a_function_numbers_its_steps(xy):
    x, y = xy
    f = theano.function([x, y], T.exp(x + y), mode="FAST_COMPILE")
    text = tree(f)
    assert [line.split()[-1] for line in text.splitlines() if "Elemwise" in line] == ["1", "0"]
    assert tree(f.maker.fgraph) == text


def test_tree_of_several_outputs_and_views(xy):
    _, b = Twin()(*xy)
    assert tree(b).startswith("Twin.1 [id A]")
    text = graph_text.tree([b], print_view_map=True, print_destroy_map=True)
    assert text.startswith("Twin.1 [id A] ''  v={1: [0]} ")


def test_letters_are_digits():
    assert [letters(n) for n in (0, 25, 26, 27, 51, 52, 676)] == [
        "A", "Z", "BA", "BB", "BZ", "CA", "BAA",
    ]  # fmt: skip


def test_deep_tree():
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = T.exp(y)
    assert len(tree(y, depth=5).splitlines()) == 5
    assert len(tree(y).splitlines()) == 3001


# ---- one line, outlines


def test_expression_marks_what_is_shared(xy):
    x, y = xy
    z = x + y
    assert expression(z * z) == (
        "Elemwise{mul,no_inplace}(*1 -> Elemwise{add,no_inplace}(x, y), *1)"
    )
    assert expression([x, z], [z])[:4] == "[x, "
    assert expression(z * y, [z]).endswith("(Elemwise{add,no_inplace}.0, y)")


def test_min_informative_str(xy):
    x, y = xy
    z = x + y
    assert min_informative_str(z * z).splitlines() == [
        "A. Elemwise{mul,no_inplace}",
        " B. Elemwise{add,no_inplace}",
        "  C. x",
        "  D. y",
        " <B>",
    ]


def test_var_descriptor_does_not_depend_on_identity():
    def build():
        x, y = T.dscalars("x", "y")
        return (x + y) * T.constant(np.arange(3.0))

    assert var_descriptor(build()) == var_descriptor(build())
    assert var_descriptor(build()).startswith("A=Elemwise{mul,no_inplace}(")


# ---- pictures


SVG = "{http://www.w3.org/2000/svg}"


def test_svg(tmp_path, capsys, xy):
    x, y = xy
    path = tmp_path / "graph.svg"
    pydotprint(T.exp(x + y) * x, outfile=path)
    assert capsys.readouterr().out == f"The output file is available at {path}\n"
    root = ElementTree.parse(path).getroot()
    assert len(root.findall(f".//{SVG}ellipse")) == 3
    labels = [node.text for node in root.iter(f"{SVG}text")]
    assert "name=x TensorType(float64, scalar)" in labels
    assert "Elemwise{exp,no_inplace}" in labels


def test_dot_text(tmp_path, xy):
    x, y = xy
    path = tmp_path / "graph.dot"
    pydotprint(x + y, path, print_output_file=False, var_with_name_simple=True)
    text = path.read_text()
    assert text.startswith("digraph G {")
    assert text.count("->") == 3
    assert 'label="x"' in text


def test_function_is_drawn_with_its_shared_variables(xy):
    x, _ = xy
    w = theano.shared(2.0, name="w")
    f = theano.function([x], x * w)
    picture = pydotprint(f, return_image=True)
    colors = {box.label.split()[0]: box.color for box in picture.boxes}
    assert colors["name=x"] == "limegreen"
    assert colors["name=w"] == "turquoise"
    assert picture._repr_svg_().startswith("<svg")


def test_compact_leaves_out_intermediate_variables(xy):
    x, y = xy
    z = T.exp(x + y)
    small = pydotprint(z, return_image=True)
    large = pydotprint(z, compact=False, return_image=True)
    assert len(large.boxes) == len(small.boxes) + 1


def test_boxes_of_a_row_do_not_overlap():
    inputs = T.dscalars(6)
    picture = pydotprint(T.add(*inputs) + T.mul(*inputs), return_image=True)
    rows = {}
    root = ElementTree.fromstring(picture.svg())
    for box in root.iter(f"{SVG}rect"):
        if "x" in box.attrib:
            edge = float(box.get("x"))
            rows.setdefault(box.get("y"), []).append((edge, edge + float(box.get("width"))))
    for row in rows.values():
        row.sort()
        assert all(a[1] < b[0] for a, b in pairwise(row))


def test_other_formats_without_graphviz(tmp_path, monkeypatch, xy):
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.warns(UserWarning, match="Graphviz"):
        pydotprint(xy[0] + 1, tmp_path / "graph.png", print_output_file=False)
    assert (tmp_path / "graph.svg").exists()
