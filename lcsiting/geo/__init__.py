"""Coordinate systems and the one raster frame."""
