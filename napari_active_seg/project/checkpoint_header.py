"""The facts in the header of a checkpoint file, without loading it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

__all__ = ["checkpoint_facts", "hash_weights"]

#: A larger header is damaged.
_MOST_BYTES = 10_000_000


def checkpoint_facts(path: Path) -> dict[str, str]:
    """Return the facts in the header of a safetensors file; none where it has no such header."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MOST_BYTES:
                return {}
            facts = json.loads(file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return {str(key): str(value) for key, value in facts.items()}


def hash_weights(path: Path) -> str:
    """Return the SHA-256 of a file of weights; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
