"""Makes the test data of the elementwise ops (``tests/ops/cases.py``) importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
