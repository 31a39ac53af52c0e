"""Each example, in its fast form, runs and leaves its picture."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from theano.cli import digits

pytest.importorskip("matplotlib")
FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _as_from_their_folder(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in ("shared", *(path.stem for path in FOLDER.glob("*.py"))):
        sys.modules.pop(name, None)


def run(name, folder):
    result = importlib.import_module(name).main(["--fast", "--out", str(folder)])
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    return result


def need_digits():
    if not any(digits.find(source) for source in digits.SOURCES):
        pytest.skip("no digits are installed")


def test_char_lstm(tmp_path):
    text = run("char_lstm", tmp_path)
    assert text.startswith("The ")
    assert len(text) == 104
    assert (tmp_path / "char_lstm.txt").read_text(encoding="utf-8").strip() == text.strip()


def test_vae(tmp_path):
    need_digits()
    costs = run("vae", tmp_path)
    assert costs[-1] < costs[0]


def test_hmc(tmp_path):
    draws = run("hmc", tmp_path)
    assert draws.shape == (200, 5)
    assert np.isfinite(draws).all()
    # level and noise, which the data say much about
    np.testing.assert_allclose(draws.mean(0)[[0, 4]], [1.5, 0.7], atol=0.25)


def test_lenet(tmp_path):
    need_digits()
    assert run("lenet", tmp_path) > 0.4


def test_dcgan(tmp_path):
    need_digits()
    costs = run("dcgan", tmp_path)
    assert len(costs) == 2
    assert np.isfinite(costs).all()
