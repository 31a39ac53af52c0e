"""Where LAPACK comes from, and that any of its interfaces will do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from builders import in_threads
from tools_linalg import close, positive, regular

import theano
import theano.tensor as T
from theano.runtime.routines import lapack_library

SCRIPT = """
import numpy as np
from theano.runtime.routines import lapack_library
scipy = lapack_library.library("scipy")
lapack_library.library = lambda choice="": scipy
import theano, theano.tensor as T
L, x = T.linalg, T.dmatrix()
f = theano.function([x], [L.inv(x), L.cholesky(x), *L.qr(x), *L.eigh(x), L.svdvals(x), L.expm(x)])
a = np.random.default_rng(0).normal(size=(110, 110)) / 110
a = a @ a.T + np.eye(110)
inverse, factor, q, r, w, v, s, e = f(a)
for one, two in ((inverse @ a, np.eye(110)), (factor @ factor.T, a), (q @ r, a), (v * w @ v.T, a),
                 (s, w[::-1]), (np.linalg.eigvalsh(e), np.exp(w))):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
assert scipy.integer_bits == 32 and "python" not in theano.explain(f, code=False)["program"]
"""


def test_the_pointers_that_scipy_publishes():
    found = lapack_library.library("scipy")
    assert found.integer_bits == 32
    assert all(found.addresses.values())
    assert found.addresses.keys() == lapack_library.library().addresses.keys()
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


def test_calls_from_several_threads():
    x = T.dtensor3()
    f = theano.function([x], [T.linalg.inv(x), T.linalg.eigvalsh(x), T.linalg.svdvals(x)])
    stacks = [regular(5, n) for n in (1, 20, 300)] + [positive(110, 1)]
    expected = [f(a) for a in stacks]
    wrong = []

    def work(number: int) -> None:
        for _ in range(5):
            for one, two in zip(f(stacks[number]), expected[number], strict=True):
                if not np.allclose(one, two):
                    wrong.append(number)

    in_threads(work, [*range(4)] * 2)
    assert not wrong
    close(f(stacks[2])[0], np.linalg.inv(stacks[2]))
