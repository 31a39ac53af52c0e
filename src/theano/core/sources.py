"""Where flag values come from: the text of THEANO_FLAGS and the rc files.

The parsers are imported when there is something to parse: `import theano` stays quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from theano.core.errors import TheanoConfigWarning
from theano.core.record import dataclass

if TYPE_CHECKING:
    from configparser import ConfigParser

# Variables that values in rc files may use as %(USER)s.
_VARIABLES = ("USER", "LSCRATCH", "TMPDIR", "TEMP", "TMP")


def warn_about(source: str, text: str, category: type[Warning] = TheanoConfigWarning) -> None:
    """Warn about something in a source of flags; that source, not a line of ours, is named."""
    warnings.warn_explicit(text, category, f"<{source}>", 1)


def parse_flags(text: str) -> dict[str, str]:
    """The pairs of a THEANO_FLAGS text: comma-separated key=value, quotes allowed, last one wins.

    A piece without '=' and an unclosed quote are warned about, not refused.

    >>> parse_flags("device=cuda, floatX=float32,floatX='float64'")
    {'device': 'cuda', 'floatX': 'float64'}
    """
    found: dict[str, str] = {}
    for piece in _split(text):
        key, equals, value = piece.partition("=")
        key = key.strip()
        if equals and key:
            found.pop(key, None)
            found[key] = value.strip()
        elif piece.strip():
            warn_about(
                "THEANO_FLAGS", f"{piece.strip()!r} is ignored: it is not of the form key=value."
            )
    return found


def _split(text: str) -> list[str]:
    """The pieces between commas that stand outside quotes."""
    if not text:
        return []
    import shlex

    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace = ","
    lexer.whitespace_split = True
    lexer.commenters = ""
    if sys.platform == "win32":
        lexer.escape = ""  # backslashes separate folders there
    try:
        return list(lexer)
    except ValueError:
        warn_about("THEANO_FLAGS", f"A quote is not closed in {text!r}; it is taken literally.")
        return text.split(",")


def rc_paths(environ: Mapping[str, str]) -> list[str]:
    """The rc files to read, in order: those of THEANORC, else ~/.theanorc; the last one wins."""
    default = ["~/.theanorc"]
    if sys.platform == "win32":
        default.append("~/.theanorc.txt")
    given = environ.get("THEANORC")
    paths = given.split(os.pathsep) if given else default
    return [os.path.expanduser(path) for path in paths if path]


def _parser(environ: Mapping[str, str]) -> ConfigParser:
    """A parser that knows the variables, their own % doubled: they are values, not templates."""
    from configparser import ConfigParser

    defaults = {name: environ.get(name, "").replace("%", "%%") for name in _VARIABLES}
    return ConfigParser(defaults | {"PID": str(os.getpid())}, strict=False)


@dataclass()
class RcFiles:
    """The rc files of a user, merged; a file that cannot be read is warned about and left out."""

    parser: ConfigParser | None = None
    read: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> RcFiles:
        """Read the files that `rc_paths` names and that exist."""
        files = cls()
        for path in rc_paths(environ):
            if os.path.exists(path) and path != os.devnull:
                files._add(path, environ)
        return files

    def _add(self, path: str, environ: Mapping[str, str]) -> None:
        """Let a file override those before it; nothing of a file with an error is taken."""
        from configparser import Error

        try:
            with open(path, encoding="utf-8-sig") as lines:
                text = lines.read()
            _parser(environ).read_string(text, path)
        except (OSError, UnicodeDecodeError, Error) as error:
            warn_about(path, f"The configuration file {path} is left out: {error}")
            return
        self.parser = self.parser or _parser(environ)
        self.parser.read_string(text, path)
        self.read.append(path)

    def get(self, name: str) -> str | None:
        """The text given for a flag, None where no file gives it.

        `a.b.c` is option c of section [a.b]; a name without a dot is in [global].
        """
        if self.parser is None:
            return None
        from configparser import InterpolationError

        section, _, option = name.rpartition(".")
        section = section or "global"
        if not self.parser.has_section(section) or option.lower() not in self.parser[section]:
            return None
        if option.upper() in (*_VARIABLES, "PID"):
            return None
        try:
            return self.parser.get(section, option)
        except InterpolationError:
            return self.parser.get(section, option, raw=True)
