"""``python -m theano.misc.check_blas``: how long a matrix product takes."""

import sys
import time

import numpy as np

import theano
import theano.tensor as T


def execute(execute=True, verbose=True, M=2000, N=2000, K=2000, iters=10, order="C"):
    """(seconds of ``iters`` updates c = 0.8 c + 0.4 a b, where they run); all float32 or floatX."""
    kind = theano.config.floatX
    a, b, c = (theano.shared(np.ones(shape, kind, order)) for shape in ((M, N), (N, K), (M, K)))
    f = theano.function([], updates=[(c, 0.4 * T.dot(a, b) + 0.8 * c)])
    start = time.perf_counter()
    for _ in range(iters if execute else 0):
        f()
    return time.perf_counter() - start if execute else 0.0, theano.config.device


def main():
    """Print the time and what the machine did in it."""
    seconds, device = execute()
    work = 10 * 2 * 2000**3 / 1e9
    sys.stdout.write(
        f"10 products of 2000x2000 matrices of {theano.config.floatX} on {device}: "
        f"{seconds:.2f} s, {work / seconds:.0f} Gflop/s\n"
    )


if __name__ == "__main__":
    main()

__all__ = ["execute", "main"]
