"""Errors say what, where and what to do; traces are the user's own lines."""

from __future__ import annotations

import copy
import os
import pickle
import types

import pytest

from theano.core import errors
from theano.core.config import change_flags
from theano.core.trace import EMPTY, Place, Trace, capture, format_trace


def user_function() -> Trace:
    return capture(2)


def test_a_trace_is_where_it_was_taken() -> None:
    trace = user_function()
    last, before = trace.places()[-1], trace.places()[-2]
    assert (last.function, os.path.basename(last.filename)) == (
        "user_function",
        os.path.basename(__file__),
    )
    assert last.lineno == user_function.__code__.co_firstlineno + 1
    assert before.function == "test_a_trace_is_where_it_was_taken"
    text = format_trace(trace)
    assert text.endswith(f"line {last.lineno}, in user_function\n    return capture(2)\n")


def test_frames_of_the_package_are_left_out() -> None:
    source = "def inner(capture):\n    return capture(1, package='/package/')\n"
    namespace: dict[str, types.FunctionType] = {}
    exec(compile(source, "/package/file.py", "exec"), namespace)
    assert namespace["inner"](capture).places()[-1].filename == __file__


def test_limits() -> None:
    assert capture(0) is EMPTY
    assert not EMPTY
    assert format_trace(EMPTY) == ""
    assert len(capture(1)) == 1
    assert len(capture(-1)) > 3
    with change_flags({"traceback.limit": 2}):
        assert len(capture()) == 2
    with change_flags({"traceback.limit": 0}):
        assert not capture()


def test_a_trace_survives_pickling_and_copying() -> None:
    trace = user_function()
    for other in (pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):
        assert other == trace
        assert list(other) == list(trace)
        assert hash(other) == hash(trace)
    assert "user_function" in repr(trace)


def test_lines_of_code_typed_at_a_prompt_are_found() -> None:
    namespace: dict[str, object] = {"capture": capture}
    exec(compile("x = 1\ny = capture(1)\n", "<stdin>", "exec"), namespace)
    trace = namespace["y"]
    assert isinstance(trace, Trace)
    assert trace.places() == (Place("<stdin>", 2, "<module>"),)


@pytest.mark.parametrize(
    ("name", "caught_as"),
    [
        ("AsTensorError", TypeError), ("ShapeError", ValueError),
        ("NotScalarConstantError", Exception),
        ("EmptyConstantError", errors.NotScalarConstantError),
        ("MissingInputError", Exception), ("UnusedInputError", Exception),
        ("InconsistencyError", Exception), ("NullTypeGradError", TypeError),
        ("DisconnectedInputError", ValueError), ("GradientError", Exception),
        ("ComplexError", NotImplementedError), ("MethodNotDefined", Exception),
        ("AliasedMemoryError", Exception), ("TheanoConfigWarning", Warning),
        ("MissingSpelling", LookupError),
    ],
)  # fmt: skip
def test_classes_are_caught_as_scripts_expect(name: str, caught_as: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), caught_as)


def test_errors_say_where_and_what_to_do() -> None:
    error = errors.ShapeError("dot: (2, 3) and (4,)", at=user_function(), hint="transpose?")
    lines = str(error).splitlines()
    assert lines[0] == "dot: (2, 3) and (4,)"
    assert "    return capture(2)" in lines
    assert lines[-1] == "HINT: transpose?"


def test_errors_survive_pickling() -> None:
    for error in (
        errors.ShapeError("a", at=user_function(), hint="b"),
        errors.MissingInputError("a", variable="x"),
        errors.MissingSpelling("cuda", "erf", "backends/cuda/prims.py"),
        errors.GradientError(0, 3, (2, 2), 1.0, 2.0, 1.0, 0.5, 1e-4, 1e-4),
    ):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_messages_of_particular_errors() -> None:
    assert str(errors.MissingSpelling("no such primitive")) == "no such primitive"
    assert "add it to a/b.py" in str(errors.MissingSpelling("cuda", "erf", "a/b.py"))
    assert errors.MissingInputError("x is needed", variable=3).variable == 3
    wrong = errors.GradientError(1, 3, (2, 2), 1.0, 2.0, 1.0, 0.5, 1e-4, 1e-4)
    assert "At position 3 of argument 1 with shape (2, 2)" in str(wrong)
    assert "share memory" in str(errors.AliasedMemoryError(1, 2))
