"""What users do from outside: programs, processes, signals, and mistakes at the prompt."""

import os
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import theano
import theano.tensor as T


def run(program, *arguments, flags="", **options):
    """A Python process that runs a program with an own cache; what it printed and its status."""
    environment = {**os.environ, "THEANO_FLAGS": flags or os.environ["THEANO_FLAGS"]}
    return subprocess.run(
        [sys.executable, *options.pop("switches", ()), "-c", textwrap.dedent(program), *arguments],
        env={**environment, **options.pop("env", {})},
        capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


def test_a_closed_pipe_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run(
        [sys.executable, "-m", "theano", "info"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert child.returncode == 1
    assert child.stderr == ""


SOFTMAX = """
import numpy as np
import theano, theano.tensor as T
x = T.matrix('x')
w = theano.shared(np.zeros((4, 2)), 'w')
f = theano.function([x], T.nnet.softmax(T.dot(x, w)), updates=[(w, w + 1.5)])
for _ in range(3):
    assert np.allclose(f(np.ones((3, 4))), 0.5)
assert np.allclose(w.get_value(), 4.5)
g = theano.function([x], (T.exp(x) * 2).sum(0))
assert np.allclose(g(np.ones((3, 4))), 6 * np.e)
"""


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)


def foreign(path):
    path.write_bytes(b"\x7fELF" * 1000)


def swapped(path):
    """The sound file of another function of the same kind."""
    names = sorted(p for p in path.parent.iterdir() if p.suffix == path.suffix)
    other = names[(names.index(path) + 1) % len(names)]
    path.write_bytes(other.read_bytes())


def piped(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [truncated, flipped, foreign, swapped, piped])
def test_a_damaged_cache_gives_right_results(tmp_path, harm):
    if harm is piped and not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    flags = f"compiledir={tmp_path}"
    assert run(SOFTMAX, flags=flags).returncode == 0
    files = sorted((tmp_path / "objects").iterdir())
    assert {path.suffix for path in files} == {".obj", ".plan"}
    for path in files:
        harm(path)
    again = run(SOFTMAX, flags=flags)
    assert (again.returncode, again.stderr) == (0, "")
    left = list((tmp_path / "objects").iterdir())
    assert {path.suffix for path in left} == {".obj", ".plan"}


def test_a_cache_that_cannot_be_made_is_told_once(tmp_path):
    (tmp_path / "file").write_text("")
    child = run(SOFTMAX, flags=f"compiledir={tmp_path}/file/x")
    assert child.returncode == 0
    assert child.stderr.count("Warning") == 1
    assert "<string>:6: RuntimeWarning: The disk cache is not used" in child.stderr


def test_without_llvmlite_functions_run_in_numpy(tmp_path):
    blocker = "import sys\nsys.modules['llvmlite'] = None\n"
    child = run(blocker + SOFTMAX, flags=f"compiledir={tmp_path}")
    assert child.returncode == 0
    assert child.stderr.count("Warning") == 1
    assert "<string>:8: RuntimeWarning: Functions run op by op in NumPy" in child.stderr
    assert "pip install llvmlite" in child.stderr


def test_with_an_old_llvmlite_functions_run_in_numpy(tmp_path):
    older = (
        "import llvmlite\nllvmlite.__version__ = '0.44.0'\n"
        "from llvmlite import binding\nbinding.llvm_version_info = (15, 0, 7)\n"
    )
    child = run(older + SOFTMAX, flags=f"compiledir={tmp_path}")
    assert child.returncode == 0
    assert child.stderr.count("Warning") == 1
    assert "RuntimeWarning: Functions run op by op in NumPy" in child.stderr
    assert "LLVM is 15.0.7" in child.stderr
    assert "llvmlite>=0.45" in child.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_while_compiling_leaves_a_working_process():
    program = """
    import theano, theano.tensor as T
    theano.config.jit.cache = False
    def compile():
        x = e = T.vector('x')
        for i in range(8):
            e = T.sin(e) + T.exp(e * 1e-3)
        theano.function([x], e.sum())([1, 2])
    try:
        compile()
        print('go', flush=True)
        while True:
            compile()
    except KeyboardInterrupt:
        x = T.vector('x')
        print(theano.function([x], x + 5)([1]))
    """
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "go\n"
    for _ in range(5):
        child.send_signal(signal.SIGINT)
        try:
            out, _ = child.communicate(timeout=10)
            break
        except subprocess.TimeoutExpired:
            continue  # Python drops an interrupt that falls into a weak reference's callback
    assert (out, child.returncode) == ("[6.]\n", 0)


def test_a_process_may_end_while_its_threads_compute():
    program = """
    import threading, time
    import numpy as np, theano, theano.tensor as T
    x = T.vector('x')
    f = theano.function([x], T.exp(T.sin(x)).sum())
    a = np.ones(400_000)
    def work():
        while True:
            f(a)
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
    """
    child = run(program)
    assert (child.returncode, child.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_computes_and_compiles():
    program = """
    import multiprocessing, warnings
    import numpy as np, theano, theano.tensor as T
    warnings.simplefilter('ignore', DeprecationWarning)
    x = T.vector('x')
    f = theano.function([x], T.exp(T.sin(x)).sum())
    a = np.ones(400_000)
    expected = f(a)
    def work(i):
        y = T.vector()
        return float(f(a)), theano.function([y], y * i)([1.0, 2.0]).tolist()
    with multiprocessing.get_context('fork').Pool(2) as pool:
        for i, (value, scaled) in enumerate(pool.map(work, range(3))):
            assert np.allclose(value, expected)
            assert scaled == [i, 2.0 * i]
    assert np.allclose(f(a), expected)
    """
    child = run(program)
    assert (child.returncode, child.stderr) == (0, "")


@pytest.mark.parametrize(
    ("make", "value"),
    [(T.fmatrix, [[1e300]]), (T.ivector, [np.nan]), (T.ivector, [1e40]), (T.fvector, [2j])],
)
def test_a_list_that_does_not_fit_is_refused_without_warnings(make, value):
    f = theano.function([x := make("x")], x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="cannot store accurately"):
            f(value)


def test_an_unknown_mode_is_told_all_names():
    x = T.scalar("x")
    with pytest.raises(ValueError, match=r"DebugMode.*FAST_COMPILE.*NanGuardMode"):
        theano.function([x], x, mode="Nope")


def test_the_gradient_of_a_number_is_refused():
    with pytest.raises(TypeError, match=r"cost must be a scalar variable, got 3 \(int\)"):
        T.grad(3, T.scalar("x"))


def test_a_warning_points_at_the_line_of_the_user():
    x, y = T.scalars("x", "y")
    with pytest.warns(UserWarning, match="not part of the") as found:
        theano.function([x, y], x, on_unused_input="warn")
    assert found[0].filename == __file__


def test_a_failed_call_prints_one_traceback(tmp_path):
    program = """
    import theano, theano.tensor as T
    i = T.iscalar('i')
    f = theano.function([i], T.zeros((i,)))
    f(-4)
    """
    child = run(program, flags=f"base_compiledir={tmp_path}")
    assert child.returncode == 1
    assert child.stderr.count("Traceback (most recent call last)") == 1
    assert "\nValueError: Alloc: an extent is negative: (-4,)\n" in child.stderr
    assert 'File "<string>", line 4, in <module>' in child.stderr


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint32"])
def test_a_scalar_of_any_integer_dtype_gives_a_shape(dtype):
    n = T.scalar("n", dtype=dtype)
    f = theano.function([n], [T.zeros((n,)), T.ones((n, 2)).sum(axis=0), T.arange(n)])
    zeros, sums, numbers = f(3)
    assert zeros.tolist() == [0.0, 0.0, 0.0]
    assert sums.tolist() == [3.0, 3.0]
    assert numbers.tolist() == [0, 1, 2]


def test_a_shape_from_a_narrowed_scalar_is_the_narrow_one():
    n = T.lscalar("n")
    f = theano.function([n], [T.zeros((T.cast(n, "int8"),)), T.zeros((n,))])
    narrow, wide = f(258)
    assert (narrow.shape, wide.shape) == ((2,), (258,))


def test_a_shape_from_a_float_is_cut_off():
    x = T.dscalar("x")
    n = T.cast(x, "int64")
    f = theano.function([x], [T.zeros((n,)), T.zeros((n, n))])
    assert [found.shape for found in f(3.7)] == [(3,), (3, 3)]


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="name of a variable is a str, not 3"):
        T.vector(3)
    with pytest.raises(TypeError, match="name of a variable is a str, not"):
        T.dmatrix(["x"])
