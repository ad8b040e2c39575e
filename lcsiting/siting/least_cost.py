"""Least cost for a coverage."""
