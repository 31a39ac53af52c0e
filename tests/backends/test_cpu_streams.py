"""Results written past the caches: the same values as otherwise, whatever their strides."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from kernel_forms import KERNELS
from native_kernels import (
    TARGETS,
    Case,
    Native,
    build,
    check,
    features_of,
    forms,
    module_text,
    values,
)

from theano.backends.cpu import driver
from theano.kernel.text import parse

LIGHT = """kernel light (i j | ) {
  in x : float32 [i j]
  in b : float32 [j]
  out z : float32 [i j]
  out y : float64 [i j]
  out h : float16 [i j]
  out q : bool [i j]
  each {
    u = load x : float32
    v = load b : float32
    w = add u v : float32
    d = cast w : float64
    p = gt u v : bool
    store z w
    store y d
    store h w
    store q p
  }
}"""
CHAIN = """kernel chain (i | j) {
  in x : float32 [i j]
  out z : float32 [i j]
  loop {
    a = load x : float32
    top = accumulate max a : float32
  }
  loop {
    b = load x : float32
    c = sub b top : float32
    store z c
  }
}"""
WIDE = [target for target in TARGETS if "avx" in features_of(target)]
if not WIDE:
    pytest.skip("written for processors with AVX2", allow_module_level=True)


@functools.cache
def streaming(target: str) -> Native:
    """Kernels that write past the caches however little there is to write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "STREAM_BYTES", 0)
        return build([parse(LIGHT), parse(CHAIN)], target)


@pytest.mark.parametrize("target", WIDE)
@pytest.mark.parametrize(
    "shape", [(3, 5), (1, 1), (0, 4), (4, 0), (7, 64), (5, 320), (50, 33), (64, 48), (2, 70_000)]
)
def test_maps_and_chains_past_the_caches(shape: tuple[int, int], target: str) -> None:
    x, b = values("float32", *shape), values("float32", shape[1])
    kinds = (np.float32, np.float64, np.float16, np.bool_)
    outs = tuple(np.zeros(shape, kind) for kind in kinds)
    for name, form in forms(x).items():
        check(streaming(target), Case("light", shape, (form, b, *outs), rtol=1e-3))
        check(streaming(target), Case("chain", shape, (form, outs[0])))
        others = tuple(forms(out)[name] for out in outs)
        check(streaming(target), Case("light", shape, (x, b, *others), rtol=1e-3))
        check(streaming(target), Case("chain", shape, (x, others[0])))


@pytest.mark.parametrize("target", WIDE)
def test_only_what_waits_for_memory_and_is_not_read_again(target: str) -> None:
    kernels = {k.name: k for k in map(parse, (*KERNELS, LIGHT, CHAIN))}

    def streams(name: str) -> int:
        return module_text([kernels[name]], features_of(target))[1].count("!nontemporal")

    assert streams("light") >= 1
    assert streams("chain") >= 1
    assert streams("softmax") == 0, "exponentials are read again"
    heavy = LIGHT.replace("add u v", "pow u v").replace("light", "heavy")
    kernels["heavy"] = parse(heavy)
    assert streams("heavy") == 0, "a loop that computes"
