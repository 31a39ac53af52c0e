"""The sessions of the introduction to Theano in a deep-learning book, as its reader types them."""

import os
import subprocess
import sys

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.core.config import change_flags
from theano.runtime.probe import opencl_devices


@pytest.fixture(autouse=True)
def float32():
    with change_flags(floatX="float32"):
        yield


def python(code, tmp_path, flags="", rc=""):
    """Run a fresh interpreter in a home folder of its own."""
    (tmp_path / ".theanorc").write_text(rc)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("THEANO")}
    environment.update(HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    if flags:
        environment["THEANO_FLAGS"] = flags
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


def lines(code, tmp_path, **kwargs):
    done = python(code, tmp_path, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# ---- installing and configuring


SHOW = "print(theano.config.device, theano.config.floatX)"


def test_from_theano_import_theano(tmp_path):
    assert lines(f"from theano import theano\n{SHOW}", tmp_path) == ["cpu", "float64"]


def test_import_theano(tmp_path):
    assert lines(f"import theano\n{SHOW}", tmp_path) == ["cpu", "float64"]


def test_theano_theano_is_the_module():
    assert theano.theano is theano


def test_importing_loads_neither_scipy_nor_llvmlite(tmp_path):
    code = "import theano, sys; print('scipy' in sys.modules, 'llvmlite' in sys.modules)"
    assert lines(code, tmp_path) == ["False", "False"]


def test_print_config_shows_name_doc_and_value():
    text = str(theano.config)
    for part in ("floatX", "Doc:", "Value:  float32", "gpuarray.preallocate"):
        assert part in text


def test_rc_file_then_flags_then_code(tmp_path):
    rc = "[global]\nfloatX = float32\n"
    assert lines(f"import theano\n{SHOW}", tmp_path, rc=rc)[1] == "float32"
    flags = "floatX=float64"
    assert lines(f"import theano\n{SHOW}", tmp_path, rc=rc, flags=flags)[1] == "float64"
    code = f"import theano\ntheano.config.floatX = 'float16'\n{SHOW}"
    assert lines(code, tmp_path, rc=rc, flags=flags)[1] == "float16"


def test_rc_file_with_sections(tmp_path):
    rc = "[global]\nfloatX = float32\n\n[gpuarray]\npreallocate = 1\n"
    code = "import theano\nprint(theano.config.gpuarray.preallocate)"
    assert lines(code, tmp_path, rc=rc) == ["1.0"]


def test_read_only_options_say_so():
    with pytest.raises(Exception, match="Can't change the value of this config parameter"):
        theano.config.device = "cuda"


NO_GPU = "CUDA_VISIBLE_DEVICES"


def test_a_missing_gpu_is_announced_and_the_cpu_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv(NO_GPU, "")
    done = python(f"import theano\n{SHOW}", tmp_path, flags="device=cuda,floatX=float32")
    assert done.stdout.split() == ["cpu", "float32"]
    assert "no GPU was found for device=cuda" in done.stderr
    assert "the CPU is used instead" in done.stderr


def test_a_missing_gpu_raises_with_force_device(tmp_path, monkeypatch):
    monkeypatch.setenv(NO_GPU, "")
    done = python("import theano", tmp_path, flags="device=cuda,force_device=True")
    assert done.returncode != 0
    assert "No GPU was found for device=cuda" in done.stderr


def test_missing_contexts_are_announced_by_device(tmp_path, monkeypatch):
    monkeypatch.setenv(NO_GPU, "")
    flags = "contexts=dev0->cuda0;dev1->cuda1,floatX=float32,gpuarray.preallocate=0.8"
    done = python(f"import theano\n{SHOW}", tmp_path, flags=flags)
    assert done.returncode == 0
    assert "device=cuda0" in done.stderr
    assert "device=cuda1" in done.stderr


def test_opencl_devices_are_announced_with_their_names(tmp_path):
    found, reason = opencl_devices()
    if not found:
        pytest.skip(reason)
    done = python(f"import theano\n{SHOW}", tmp_path, flags=f"device={found[0].flag}")
    assert done.stdout.split()[0] == found[0].flag
    assert done.stderr == f"Mapped name None to device {found[0].flag}: {found[0].name}\n"


# ---- tensors


def test_tensor_types():
    assert repr(T.scalar()) == "<TensorType(float32, scalar)>"
    assert repr(T.iscalar()) == "<TensorType(int32, scalar)>"
    assert repr(T.fscalar()) == "<TensorType(float32, scalar)>"
    assert repr(T.dscalar()) == "<TensorType(float64, scalar)>"


def test_scalar_follows_floatx_and_fscalar_does_not():
    with change_flags(floatX="float64"):
        assert repr(T.scalar()) == "<TensorType(float64, scalar)>"
        assert repr(T.fscalar()) == "<TensorType(float32, scalar)>"
    assert repr(T.scalar()) == "<TensorType(float32, scalar)>"


def test_floatx_changes_only_what_is_made_later():
    with change_flags(floatX="float64"):
        before = T.matrix()
    assert before.dtype == "float64"
    assert T.matrix().dtype == "float32"


# ---- symbolic programming


def test_add_two_matrices():
    x = T.matrix("x")
    y = T.matrix("y")
    z = x + y
    assert theano.pp(z) == "(x + y)"
    result = z.eval({x: [[1, 2], [1, 3]], y: [[1, 0], [3, 4]]})
    assert repr(result).replace("\n      ", "") == "array([[2., 2.], [4., 7.]], dtype=float32)"


def test_unnamed_variables_print_their_type():
    a = T.matrix()
    b = T.matrix()
    assert theano.pp(a + b) == "(<TensorType(float32, matrix)> + <TensorType(float32, matrix)>)"


def test_rebinding_a_name_keeps_the_graph():
    x = T.matrix("x")
    x = x + x
    assert theano.pp(x) == "(x + x)"


def test_several_at_once():
    x, y, z = T.matrices("x", "y", "z")
    assert [v.name for v in (x, y, z)] == ["x", "y", "z"]
    assert all(v.type == T.fmatrix for v in (x, y, z))


def test_the_same_through_a_function():
    x, y = T.matrices("x", "y")
    f = theano.function([x, y], x + y)
    result = f([[1, 2], [1, 3]], [[1, 0], [3, 4]])
    np.testing.assert_array_equal(result, [[2, 2], [4, 7]])
    assert result.dtype == "float32"


def test_automatic_differentiation():
    x = T.scalar("x")
    gradient = theano.grad(x**2, x)
    assert theano.pp(gradient) == (
        "((fill((x ** TensorConstant{2}), TensorConstant{1.0}) * TensorConstant{2}) * "
        "(x ** (TensorConstant{2} - TensorConstant{1})))"
    )
    assert gradient.eval({x: 3.0}) == 6.0
