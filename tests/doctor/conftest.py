from __future__ import annotations

from pathlib import Path

import pytest
from doctor_words import Practice


@pytest.fixture
def practice(tmp_path: Path) -> Practice:
    return Practice(tmp_path)
