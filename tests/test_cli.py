"""The programs `theano` and `theano-cache`."""

import sys

import pytest

from theano import __main__ as program
from theano.cli import cache
from theano.core.config import config
from theano.runtime.cache import ObjectCache


def test_help_names_every_command(capsys):
    assert program.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in program.COMMANDS)


def test_unknown_command(capsys):
    assert program.main(["tuor"]) == 2
    assert "no command 'tuor'" in capsys.readouterr().err


def test_version(capsys):
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("theano 2.")


def test_info(capsys):
    assert program.main(["info"]) == 0
    text = capsys.readouterr().out
    for title in ("Versions", "Processor", "BLAS", "Threads", "Devices", "Cache", "Missing"):
        assert f"\n{title}" in f"\n{text}"
    assert config.compiledir in text


def test_info_names_the_command_that_adds_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    program.main(["info"])
    text = capsys.readouterr().out
    assert "pip install 'theano[opencl]'" in text
    assert "graphviz" in text


@pytest.fixture
def folder(tmp_path):
    """A cache of one entry in a folder of its own."""
    config.override("base_compiledir", str(tmp_path))
    assert ObjectCache(config.compiledir).put("0123456789abcdef", b"code")
    return tmp_path


def run(capsys, *words):
    status = program.main(["cache", *words])
    return status, capsys.readouterr().out


def test_cache_prints_its_folder(capsys, folder):
    assert run(capsys) == (0, f"{config.compiledir}\n")
    assert str(folder) in config.compiledir


def test_cache_list_clear_purge(capsys, folder):
    assert "1 entries" in run(capsys, "stats")[1]
    assert "0123456789abcdef" in run(capsys, "list")[1]
    assert run(capsys, "clear")[1] == "1 entries removed\n"
    assert "0 entries" in run(capsys, "stats")[1]
    run(capsys, "purge")
    assert not list(folder.iterdir())
    assert "does not exist" in run(capsys, "purge")[1]


def test_cache_base(capsys, folder):
    assert run(capsys, "basecompiledir")[1] == f"{folder}\n"
    assert config.compiledir in run(capsys, "basecompiledir", "list")[1]
    run(capsys, "basecompiledir", "purge")
    assert not list(folder.iterdir())


def test_purge_spares_what_is_not_a_cache(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    cache._remove(str(tmp_path))
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("words", [("unlock",), ("cleanup",), ("help",)])
def test_cache_commands_of_old_scripts(capsys, folder, words):
    assert run(capsys, *words)[0] == 0


def test_unknown_cache_command(capsys):
    assert run(capsys, "explode")[0] == 2


def test_theano_cache(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["theano-cache"])
    assert program.cache_main() == 0
    assert capsys.readouterr().out == f"{config.compiledir}\n"


def test_explain_wants_a_file(capsys):
    assert program.main(["explain", "nowhere.py:f"]) == 2
    assert "not a file" in capsys.readouterr().err


def test_explain_wants_a_name_of_the_file(capsys, tmp_path):
    file = tmp_path / "model.py"
    file.write_text("x = 3\n")
    assert program.main(["explain", f"{file}:f"]) == 2
    assert program.main(["explain", f"{file}:x"]) == 2
    assert "int" in capsys.readouterr().err


def test_explain_a_function_and_an_expression(capsys, tmp_path):
    file = tmp_path / "model.py"
    file.write_text(
        "import theano, theano.tensor as T\n"
        "x = T.dvector('x')\n"
        "y = T.exp(x).sum()\n"
        "f = theano.function([x], y)\n"
    )
    for name in ("f", "y"):
        assert program.main(["explain", f"{file}:{name}"]) == 0
        text = capsys.readouterr().out
        assert "Elemwise{exp,no_inplace}" in text
        assert "program" in text


def test_explain_without_the_native_code(capsys, tmp_path):
    file = tmp_path / "graphs.py"
    file.write_text("import theano.tensor as T\nx = T.dvector('x')\ny = T.exp(x) + 1\n")
    assert program.main(["explain", f"{file}:y"]) == 0
    with_code = capsys.readouterr().out
    assert program.main(["explain", "--no-code", f"{file}:y"]) == 0
    without = capsys.readouterr().out
    assert "memory plan" in without
    assert "define " in with_code
    assert "define " not in without
