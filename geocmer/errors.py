"""What can go wrong for a user, each message in one line: the offending value, and the next step.

A caller that catches `GeocmerError` catches everything geocmer raises on purpose. Anything else is a bug and keeps its
traceback.
"""

from __future__ import annotations


class GeocmerError(Exception):
    """Base of every error that geocmer raises on purpose."""


class InputError(GeocmerError):
    """A file or a value given by the user cannot be used."""


class CRSError(InputError):
    """A coordinate reference system is missing or unusable."""


class LandCoverError(InputError):
    """A land-cover layer or its legend does not fit the scene."""


class ModelError(GeocmerError):
    """A backbone or an adapter cannot be loaded, or they do not belong together."""


class StoreError(GeocmerError):
    """A store is missing, damaged, or of another schema."""


class FingerprintError(StoreError):
    """A store was built with another encoder than the one that asks."""
