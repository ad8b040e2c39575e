"""Errors that say what, where, how many and what to do.

Every error is also a :class:`ValueError`, so a notebook that catches
``ValueError`` keeps working.
"""


class LcsitingError(ValueError):
    """Base of every error this package raises on purpose."""


class ConfigError(LcsitingError):
    """The project file or a rule table cannot be used."""


class LayerError(LcsitingError):
    """A layer of the project cannot be used."""


class CrsError(LayerError):
    """The coordinate system or datum of a layer is unknown or contradictory."""


class RangeError(LcsitingError):
    """A value is outside the range a formula is valid in."""


class ExportError(LcsitingError):
    """An output cannot be written."""
