"""Fixtures of the exporters: a result built by hand."""

import pytest
from handmade import build_result, make_rings


@pytest.fixture(scope="session")
def tiny_result():
    return build_result()


@pytest.fixture(scope="session", autouse=True)
def rings_by_hand():
    """The exporters are tested on their own: the rings come from here, not from the coordination room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lcsiting.exporters.vector.rings", lambda result: make_rings())
        yield
