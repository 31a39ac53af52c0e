"""The disk cache: what comes back is what was stored, or nothing."""

import json
import os
import signal
import subprocess
import sys
import warnings

import pytest

from theano.runtime.cache import ObjectCache, decode, encode

KEY = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


def test_round_trip_and_statistics(tmp_path):
    cache = ObjectCache(tmp_path / "c")
    assert cache.get(KEY) is None
    assert not (tmp_path / "c").exists()
    assert cache.put(KEY, b"code")
    assert cache.get(KEY) == b"code"
    cache.put_plan(KEY, {"steps": [1, "a", None]})
    assert cache.get_plan(KEY) == {"steps": [1, "a", None]}
    stats = cache.stats()
    assert (stats.entries, stats.hits, stats.misses, stats.stored) == (2, 2, 1, 2)
    assert stats.path == str(tmp_path / "c" / "objects") == str(cache.path())
    assert os.stat(cache.path()).st_mode & 0o777 == 0o700
    assert cache.clear() == 2
    assert cache.get(KEY) is None


def test_empty_payload_is_an_entry(tmp_path):
    cache = ObjectCache(tmp_path)
    assert cache.put(KEY, b"")
    assert cache.get(KEY) == b""


@pytest.mark.parametrize("key", ["../x", "", "ABC", "0123", KEY + "/x"])
def test_a_key_cannot_name_a_path(tmp_path, key):
    with pytest.raises(ValueError, match="hexadecimal"):
        ObjectCache(tmp_path).put(key, b"x")


def damage_cases():
    good = encode(b"payload" * 50, f"{KEY}.obj")
    flipped = bytearray(good)
    flipped[-3] ^= 1
    old = bytearray(good)
    old[4] += 1
    return {
        "empty": b"", "truncated header": good[:20], "truncated": good[:-1],
        "flipped bit": bytes(flipped), "other version": bytes(old), "foreign": b"ELF" * 100,
        "longer": good + b"x", "another's": encode(b"payload", f"{OTHER}.obj"),
    }  # fmt: skip


@pytest.mark.parametrize("name", damage_cases())
def test_damaged_entries_are_ignored_and_rewritten(tmp_path, name):
    blob = damage_cases()[name]
    assert decode(blob, f"{KEY}.obj") is None
    cache = ObjectCache(tmp_path)
    cache.put(KEY, b"first")
    (cache.path() / f"{KEY}.obj").write_bytes(blob)
    assert cache.get(KEY) is None
    assert cache.stats().rejected == 1
    assert cache.put(KEY, b"second")
    assert cache.get(KEY) == b"second"


def test_a_link_is_not_followed(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.put(KEY, b"x")
    (tmp_path / "elsewhere").write_bytes(encode(b"evil", f"{OTHER}.obj"))
    (cache.path() / f"{OTHER}.obj").symlink_to(tmp_path / "elsewhere")
    assert cache.get(OTHER) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.put(OTHER, b"x")
    os.mkfifo(cache.path() / f"{KEY}.obj")
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"y")
    assert cache.get(KEY) == b"y"


def test_a_directory_others_can_write_is_refused_with_one_warning(tmp_path):
    root = tmp_path / "objects"
    root.mkdir()
    os.chmod(root, 0o777)
    (root / f"{KEY}.obj").write_bytes(encode(b"planted", f"{KEY}.obj"))
    cache = ObjectCache(tmp_path)
    with pytest.warns(RuntimeWarning, match="not used"):
        assert cache.get(KEY) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not cache.put(KEY, b"mine")
    assert not cache.stats().usable


def test_a_foreign_owner_is_refused(tmp_path, monkeypatch):
    ObjectCache(tmp_path).put(KEY, b"theirs")
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    with pytest.warns(RuntimeWarning, match="another user"):
        assert ObjectCache(tmp_path).get(KEY) is None


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    cache = ObjectCache(tmp_path / "file" / "sub")
    with pytest.warns(RuntimeWarning, match="not used"):
        assert not cache.put(KEY, b"x")
    assert cache.get(KEY) is None


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that takes no files")
def test_a_folder_that_vanishes_is_told_once():
    cache = ObjectCache("/proc/theano")
    assert cache.get(KEY) is None
    with pytest.warns(RuntimeWarning, match="not used") as found:
        stored = [cache.put(KEY, b"x"), cache.put(KEY, b"x")]
    assert stored == [False, False]
    assert len(found) == 1
    assert found[0].filename == __file__


def test_a_full_disk_is_no_error_and_leaves_nothing(tmp_path, monkeypatch):
    cache = ObjectCache(tmp_path)
    cache.put(KEY, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not cache.put(KEY, b"new")
    assert [path.name for path in cache.path().iterdir()] == [f"{KEY}.obj"]
    assert cache.get(KEY) == b"old"


def test_the_size_is_bounded_and_the_oldest_go_first(tmp_path):
    cache = ObjectCache(tmp_path, limit=10_000)
    keys = [f"{number:064x}" for number in range(30)]
    for age, key in enumerate(keys):
        cache.put(key, bytes(1000))
        os.utime(cache.path() / f"{key}.obj", (10_000 + age, 10_000 + age))
    assert cache.stats().bytes <= 11_500
    assert cache.get(keys[0]) is None
    assert cache.get(keys[-1]) is not None


def test_a_process_killed_while_writing_leaves_a_usable_cache(tmp_path):
    program = (
        "import os, sys\n"
        "from theano.runtime.cache import ObjectCache\n"
        "os.replace = lambda *a: (print('ready', flush=True), sys.stdin.read())\n"
        f"ObjectCache({str(tmp_path)!r}).put({KEY!r}, b'half')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline().strip() == b"ready"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    cache = ObjectCache(tmp_path)
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"whole")
    assert cache.get(KEY) == b"whole"


def test_many_processes_may_write_one_key(tmp_path):
    program = (
        "from theano.runtime.cache import ObjectCache\n"
        f"c = ObjectCache({str(tmp_path)!r})\n"
        f"for i in range(50): c.put({KEY!r}, b'v' * 4096); assert c.get({KEY!r}) == b'v' * 4096\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert sorted(path.name for path in (tmp_path / "objects").iterdir()) == [f"{KEY}.obj"]


def test_a_plan_that_is_not_json_is_ignored(tmp_path):
    cache = ObjectCache(tmp_path)
    cache.put_plan(KEY, [1])
    (cache.path() / f"{KEY}.plan").write_bytes(encode(b"{broken", f"{KEY}.plan"))
    assert cache.get_plan(KEY) is None
    with pytest.raises(TypeError):
        cache.put_plan(KEY, object())
    assert json.dumps(cache.get_plan(KEY)) == "null"
