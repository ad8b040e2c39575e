"""lcsiting: from a city's files to a ranked, defensible 5G siting plan.

The public names are resolved on first use (PEP 562), so that importing the
package stays light.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "open_project": "lcsiting.inputs.project",
    "check": "lcsiting.inputs.check",
    "assess": "lcsiting.pipeline",
    "coordinate": "lcsiting.coordination.coordinate",
    "coordination_list": "lcsiting.coordination.procedure",
    "remedies": "lcsiting.coordination.remedies",
    "assess_application": "lcsiting.coordination.newcomer",
    "screen": "lcsiting.screening.eligibility",
    "cover": "lcsiting.siting.cover",
    "rank": "lcsiting.held",
    "verify_plan": "lcsiting.siting.verify",
    "predict_coverage": "lcsiting.coverage.coverage",
    "stream_coverage": "lcsiting.coverage.streaming",
    "run": "lcsiting.pipeline",
    "explain": "lcsiting.siting.explain",
    "replace": "lcsiting.siting.replace",
    "relocate": "lcsiting.siting.relocation",
    "compare": "lcsiting.pipeline",
    "save": "lcsiting.storage",
    "open_result": "lcsiting.storage",
    "export": "lcsiting.exporters",
    "explore": "lcsiting.exporters.html",
    "demo_path": "lcsiting.inputs.demo",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str):
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lcsiting' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
