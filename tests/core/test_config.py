"""The configuration as users meet it: files, environment, code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import in_threads

from theano.core import config as module
from theano.core import flag_rows, flag_rows_device, flag_rows_old
from theano.core.config import (
    AddConfigVar,
    Config,
    change_flags,
    config,
    fetch_val_for_key,
    get_config_hash,
)
from theano.core.errors import TheanoConfigWarning
from theano.core.flags import BoolParam, EnumStr, FloatParam, IntParam, StrParam
from theano.core.threads import available_cores, thread_count

ROWS = flag_rows.ROWS + flag_rows_device.ROWS + flag_rows_old.ROWS


def make(flags: str = "", rc: str = "", **environ: str) -> Config:
    return Config(ROWS, {"THEANO_FLAGS": flags, "THEANORC": rc or os.devnull, **environ})


@pytest.fixture
def rc(tmp_path: Path) -> Any:
    def write(text: str, name: str = "theanorc") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


# ---- precedence


def test_defaults() -> None:
    fresh = make()
    assert (fresh.device, fresh.floatX, fresh.cast_policy) == ("cpu", "float64", "custom")
    assert (fresh.mode, fresh.linker, fresh.optimizer) == ("Mode", "cvm", "o4")
    assert fresh.gpuarray.preallocate == 0
    assert fresh.traceback.limit == 8
    assert fresh.NanGuardMode.nan_is_error is True
    assert fresh.source("floatX") == "default"


def test_file_then_environment_then_code(rc: Any) -> None:
    path = rc("[global]\nfloatX = float32\ndevice = cuda0\n\n[gpuarray]\npreallocate = 1\n")
    assert make(rc=path).floatX == "float32"
    assert make(rc=path).device == "cuda0"
    assert make(rc=path).gpuarray.preallocate == 1.0
    both = make("floatX=float16", path)
    assert both.floatX == "float16"
    assert both.source("floatX") == "THEANO_FLAGS"
    both.floatX = "float64"
    assert both.floatX == "float64"
    assert both.source("floatX") == "code"


def test_right_most_file_wins(rc: Any) -> None:
    first = rc("[global]\nfloatX = float32\nmode = FAST_COMPILE\n", "a")
    second = rc("[global]\nfloatX = float16\n", "b")
    merged = make(rc=os.pathsep.join((first, second)))
    assert (merged.floatX, merged.mode) == ("float16", "FAST_COMPILE")
    assert merged.rc_files() == (first, second)


def test_default_rc_file_is_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".theanorc").write_text("[global]\nfloatX = float32\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("THEANO")}
    environ |= {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    code = "from theano.core.config import config; print(config.floatX, config.base_compiledir)"
    out = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["float32", str(tmp_path / ".theano")]
    assert not (tmp_path / ".theano").exists(), "importing must not create the cache folder"


# ---- the syntax of files


def test_sections_split_at_the_last_dot_and_names_ignore_case(rc: Any) -> None:
    path = rc("[global]\nfloatx = 32\n[dnn.conv]\nalgo_fwd = winograd\n[nanguardmode]\nx = 1\n")
    loaded = make(rc=path)
    assert loaded.floatX == "float32"
    assert loaded.dnn.conv.algo_fwd == "winograd"


def test_values_of_files_may_use_variables(rc: Any) -> None:
    path = rc("[global]\nbase_compiledir = /scratch/%(USER)s/p%(PID)s\n")
    found = make(rc=path, USER="ann%b").base_compiledir
    assert found == os.path.abspath(f"/scratch/ann%b/p{os.getpid()}")


def test_a_percent_sign_that_is_no_variable_is_taken_literally(rc: Any) -> None:
    path = rc("[profiling]\ndestination = 100%.txt\n")
    assert make(rc=path).profiling.destination == "100%.txt"


def test_unknown_names_in_files_are_ignored(rc: Any) -> None:
    assert make(rc=rc("[global]\nno_such = 1\n[other]\nthing = 2\n")).floatX == "float64"


@pytest.mark.parametrize("text", ["floatX = float32\n", "[global\nx", "\x00\n"])
def test_a_malformed_file_is_named_and_left_out(rc: Any, text: str) -> None:
    path = rc(text)
    with pytest.warns(TheanoConfigWarning, match=path):
        assert make(rc=path).floatX == "float64"


def test_a_file_that_is_not_text_or_a_folder_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "binary", tmp_path):
        with pytest.warns(TheanoConfigWarning, match="left out"):
            make(rc=str(path))


def test_windows_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "rc").write_bytes(b"\xef\xbb\xbf[global]\r\nfloatX = float32\r\n")
    assert make(rc=str(tmp_path / "rc")).floatX == "float32"


# ---- the syntax of THEANO_FLAGS


def test_last_duplicate_wins_and_quotes_hold_commas() -> None:
    loaded = make("floatX=float16,floatX=float32,optimizer_excluding='a:b,c',")
    assert (loaded.floatX, loaded.optimizer_excluding) == ("float32", "a:b,c")


def test_values_may_hold_equal_signs_and_arrows() -> None:
    loaded = make("contexts=dev0->cuda0;dev1->cuda1,floatX=float32,gpuarray.preallocate=0.8")
    assert loaded.contexts == "dev0->cuda0;dev1->cuda1"
    assert loaded.gpuarray.preallocate == 0.8
    with pytest.warns(DeprecationWarning, match=r"gcc\.cxxflags"):
        assert make("gcc.cxxflags=-march=native").gcc.cxxflags == "-march=native"


def test_a_key_without_value_warns() -> None:
    with pytest.warns(TheanoConfigWarning, match="'floatX' is ignored"):
        assert make("floatX,mode=FAST_RUN").mode == "FAST_RUN"


def test_an_unclosed_quote_warns() -> None:
    with pytest.warns(TheanoConfigWarning, match="quote is not closed"):
        assert make("mode=FAST_RUN,base_compiledir='x").mode == "FAST_RUN"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("flaotX=32", "floatX"), ("preallocate=1", "gpuarray.preallocate"), ("Device=cpu", "device")],
)
def test_an_unknown_flag_warns_with_a_suggestion(wrong: str, meant: str) -> None:
    with pytest.warns(TheanoConfigWarning, match=f"does not recognise this flag: .*{meant}"):
        make(wrong)


def test_obsolete_flags_warn_once_and_are_kept(rc: Any) -> None:
    path = rc(
        "[nvcc]\nfastmath = True\n[lib]\ncnmem = 0.9\n[blas]\nldflags = -lblas\n"
        "[gcc]\ncxxflags = -O3\n[cuda]\nroot = /opt/cuda\n"
    )
    with pytest.warns(DeprecationWarning, match="no effect") as seen:
        loaded = make(rc=path)
    assert len(seen) == 1
    assert loaded.blas.ldflags == "-lblas"
    assert loaded.lib.cnmem == 0.9
    assert loaded.cuda.include_path == os.path.join("/opt/cuda", "include")


# ---- values


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("floatX=float99", "floatX.*float64, float32, float16.*THEANO_FLAGS"),
        ("allow_gc=yes", "allow_gc.*False, false, 0, True, true, 1"),
        ("traceback.limit=many", "traceback.limit.*integer"),
        ("traceback.limit=-2", "traceback.limit"),
        ("gpuarray.preallocate=nan", "fraction"),
        ("DebugMode.check_strides=3", "0, 1, 2"),
        ("mode=fast_run", "FAST_RUN"),
        ("device=gpu", "device='cuda'"),
        ("device=gpu1", "cuda1"),
        ("device=tpu", "opencl0:0"),
        ("contexts=cuda0->cuda0", "cannot be called"),
        ("contexts=a->cuda0;a->cuda1", "twice"),
        ("contexts=a=cuda0", "name->device"),
        ("gpuarray.sync=True", "removed"),
        ("dnn.conv.workmem=small", "algo_fwd"),
        ("experimental.local_alloc_elemwise=False", "always on"),
        ("init_gpu_device=cuda,device=cuda", "needs device=cpu"),
        ("jit.threads=-1", "negative"),
    ],
)
def test_a_bad_value_names_the_flag_and_what_it_takes(flags: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(flags)


@pytest.mark.parametrize("text", ["False", "false", "0", "True", "true", "1"])
def test_booleans(text: str) -> None:
    assert make(f"allow_gc={text}").allow_gc is (text in ("True", "true", "1"))


def test_floatx_accepts_numbers() -> None:
    config.floatX = 32  # type: ignore[assignment]
    assert config.floatX == "float32"
    config.floatX = "16"
    assert config.floatX == "float16"


def test_mode_takes_an_object() -> None:
    mode = object()
    config.mode = mode
    assert config.mode is mode


def test_optional_boolean() -> None:
    assert make("vm.lazy=None").vm.lazy is None
    assert make("vm.lazy=True").vm.lazy is True


# ---- assignment


@pytest.mark.parametrize("name", ["device", "compiledir", "contexts", "optimizer_including"])
def test_read_only_flags_refuse(name: str) -> None:
    before = getattr(config, name)
    with pytest.raises(Exception, match="Can't change the value of this config") as error:
        setattr(config, name, "cuda0")
    assert (
        str(error.value) == "Can't change the value of this config parameter after initialization!"
    )
    assert type(error.value) is Exception
    assert f"THEANO_FLAGS={name}=" in error.value.__notes__[0]
    assert getattr(config, name) == before


def test_read_only_in_a_section() -> None:
    with pytest.raises(Exception, match="after initialization"):
        config.gpuarray.preallocate = 0.5
    assert config.gpuarray.preallocate == 0


def test_unknown_attributes_are_refused_with_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'floatX'"):
        config.floatx = "float32"
    with pytest.raises(AttributeError, match=r"Did you mean 'traceback\.limit'"):
        _ = config.traceback.limits
    with pytest.raises(AttributeError, match="section"):
        config.gpuarray = 1
    with pytest.raises(AttributeError, match="deleted"):
        del config.floatX
    assert not hasattr(config, "nothing_like_it")


def test_a_refused_value_leaves_the_flag_alone() -> None:
    with pytest.raises(ValueError, match="floatX"):
        config.floatX = "float8"
    assert config.floatX == "float64"


def test_old_notices_can_be_assigned() -> None:
    config.warn.subtensor_merge_bug = False
    assert config.warn.subtensor_merge_bug is False
    assert config.warn.inc_subtensor1_opt is True
    assert make("warn.ignore_bug_before=all").warn.inc_subtensor1_opt is False
    assert make("warn.ignore_bug_before=None").warn.sum_sum_bug is True


def test_override_is_for_what_is_found_out_at_start() -> None:
    fresh = make("device=cuda")
    fresh.override("device", "cpu")
    assert fresh.device == "cpu"
    with pytest.raises(AttributeError, match="devise"):
        fresh.override("devise", "cpu")


# ---- change_flags


def test_change_flags_restores_value_and_source() -> None:
    with change_flags({"traceback.limit": 3, "mode": "FAST_COMPILE"}, floatX="float32"):
        assert (config.traceback.limit, config.mode, config.floatX) == (
            3,
            "FAST_COMPILE",
            "float32",
        )
        with change_flags(floatX="float16"):
            assert config.floatX == "float16"
        assert config.floatX == "float32"
    assert (config.traceback.limit, config.mode, config.floatX) == (8, "Mode", "float64")
    assert config.source("floatX") == "default"


def test_change_flags_restores_after_an_error() -> None:
    with pytest.raises(KeyError), change_flags(floatX="float32"):
        raise KeyError
    assert config.floatX == "float64"


def test_change_flags_changes_all_or_nothing() -> None:
    with pytest.raises(ValueError, match="mode"), change_flags(floatX="float32", mode="no"):
        pytest.fail("the body must not run")
    assert config.floatX == "float64"
    with pytest.raises(AttributeError, match="floatX"):
        change_flags(floatx="float32")


def test_change_flags_as_decorator() -> None:
    @change_flags(floatX="float32")
    def seen(depth: int) -> list[str]:
        return [config.floatX] + (seen(depth - 1) if depth else [])

    assert seen(2) == ["float32"] * 3
    assert config.floatX == "float64"
    assert seen.__name__ == "seen"


# ---- introspection


def test_printing_lists_every_flag_with_doc_and_value() -> None:
    text = str(config)
    for flag in config.flags():
        assert f"{flag.name} (" in text
        assert flag.doc
    assert "    Value:  float64\n" in text
    assert "floatX (float64, float32, float16)\n    Doc:  Default float dtype" in text
    assert "gpuarray.preallocate" in str(config.gpuarray)
    assert "floatX" not in str(config.gpuarray)
    assert "device=cpu" in repr(config)
    assert "floatX" in dir(config)
    assert "compiledir" in dir(config)
    assert "preallocate" in dir(config.gpuarray)


def test_config_hash_follows_what_code_depends_on() -> None:
    before = get_config_hash()
    config.traceback.limit = 1
    assert get_config_hash() == before
    config.floatX = "float32"
    assert get_config_hash() != before


def test_fetch_val_for_key(rc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rc("[global]\nmode = FAST_RUN\n[a.b]\nc = deep\n")
    monkeypatch.setattr(module, "config", make("floatX=float32", path))
    assert fetch_val_for_key("floatX") == "float32"
    assert fetch_val_for_key("mode") == "FAST_RUN"
    assert fetch_val_for_key("a.b.c") == "deep"
    assert fetch_val_for_key("floatX", delete_key=True) == "float32"
    for key in ("floatX", "no.such"):
        with pytest.raises(KeyError):
            fetch_val_for_key(key)


def test_adding_flags(rc: Any) -> None:
    with pytest.warns(TheanoConfigWarning, match="mine"):
        fresh = make("mine.depth=3")
    AddConfigVar("mine.depth", "How deep.", IntParam(1), root=fresh)
    AddConfigVar("mine.name", "What.", StrParam("x", lambda text: text.islower()), root=fresh)
    AddConfigVar("mine.on", "Whether.", BoolParam(False, allow_override=False), root=fresh)
    AddConfigVar("mine.rate", "How much.", FloatParam(0.5), root=fresh)
    AddConfigVar("mine.kind", "Which.", EnumStr("low", "high"), root=fresh, in_c_key=False)
    assert (fresh.mine.depth, fresh.mine.name, fresh.mine.kind) == (3, "x", "low")
    fresh.mine.rate = 2
    assert fresh.mine.rate == 2.0
    with pytest.raises(ValueError, match="low, high"):
        fresh.mine.kind = "middle"
    with pytest.raises(ValueError, match="validator"):
        fresh.mine.name = "BIG"
    with pytest.raises(Exception, match="after initialization"):
        fresh.mine.on = True
    with pytest.raises(AttributeError, match="exists already"):
        AddConfigVar("mine.rate", "Again.", FloatParam(0.5), root=fresh)


# ---- places and threads


def test_compiledir_follows_its_format() -> None:
    fresh = make("base_compiledir=~/caches,compiledir_format=c_%(python_version)s")
    version = ".".join(map(str, sys.version_info[:3]))
    home = os.path.expanduser("~")
    assert fresh.compiledir.startswith(os.path.join(home, "caches", f"c_{version}"))
    assert fresh.gpuarray.cache_path == os.path.join(fresh.compiledir, "gpuarray_kernels")


def test_an_impossible_compiledir_format_is_explained() -> None:
    fresh = make("compiledir_format=c_%(weather)s")
    with pytest.raises(ValueError, match=r"weather.*%\(short_platform\)s"):
        _ = fresh.compiledir
    assert "cannot be computed" in str(fresh)


def test_computed_defaults_follow_what_they_come_from() -> None:
    fresh = make("cuda.root=/a")
    assert fresh.cuda.include_path == os.path.join("/a", "include")
    fresh.cuda.root = "/b"
    assert fresh.cuda.include_path == os.path.join("/b", "include")


def test_one_openmp_thread_turns_openmp_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    fresh = make()
    assert fresh.openmp is False
    assert thread_count(fresh) == 1


def test_thread_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count(make()) == 3
    assert thread_count(make("jit.threads=5")) == 5
    assert thread_count(make("openmp=False,jit.threads=5")) == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert thread_count(make()) == available_cores()


def test_a_malformed_thread_number_is_a_type_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "all")
    with pytest.raises(TypeError, match=r"OMP_NUM_THREADS.*'all'"):
        make()


def test_flags_are_read_from_several_threads() -> None:
    seen: list[str] = []
    in_threads(lambda _: seen.append(config.compiledir), range(8))
    assert set(seen) == {config.compiledir}
