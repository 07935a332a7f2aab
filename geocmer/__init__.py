"""Find places in your own satellite and aerial imagery by words."""

from __future__ import annotations

__version__ = "0.1.0"
