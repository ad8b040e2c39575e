"""Every bench in one table: ``make bench``.

Runs each ``bench_*.py`` beside this file and the demo as a whole process, prints name, figure, target and
whether it is met, and writes the same rows as JSON. Nothing here is a timed test.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def row(name: str, value: float, unit: str, sign: str = "", target: float = 0.0) -> dict:
    """One line of the table; ``sign`` ">=" or "<=" where there is a target."""
    met = None if not sign else bool(value >= target if sign == ">=" else value <= target)
    wanted = f"{sign} {target:g}" if sign else ""
    return {"name": name, "value": float(f"{value:.4g}"), "unit": unit, "target": wanted, "met": met}


def rows_of(figures: dict[str, float], table: dict[str, tuple[str, str, str, float]]) -> list[dict]:
    """Measured figures as rows, in the order of ``table``: figure to name, unit, sign, target."""
    return [row(name, figures[key], unit, sign, target) for key, (name, unit, sign, target) in table.items()]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU and wall seconds of a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def peak_resident_mb() -> float:
    """High-water mark of this process. Linux lets ru_maxrss inherit the parent's, so its own file is read first."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def run_demo(out: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory (GB) of one whole ``lcsiting demo``."""
    command = [sys.executable, "-m", "lcsiting.cli", "demo", "--out", str(out), "--overwrite", "--quiet"]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"demo failed with status {status}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def bench_demo() -> list[dict]:
    """The demo after a warm-up run, and the size of its map."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        run_demo(out)
        wall_s, cpu_s, memory_gb = run_demo(out)
        map_mb = (out / "map.html").stat().st_size / 1e6
    return [
        row("demo, whole city at 50 m: wall", wall_s, "s", "<=", 60),
        row("demo, whole city at 50 m: CPU", cpu_s, "s", "<=", 90),
        row("demo: peak memory", memory_gb, "GB", "<=", 2),
        row("map.html", map_mb, "MB", "<=", 8),
    ]


def bench_script(path: Path) -> list[dict]:
    """Rows of one ``bench_*.py``."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bench.json"
        subprocess.run([sys.executable, str(path), "--json", str(target)], check=True, stdout=subprocess.DEVNULL)
        return json.loads(target.read_text(encoding="utf-8"))


def report(rows: list[dict], path: Path | None) -> None:
    """Print aligned columns, ``met`` as yes, NO or blank; write the rows as JSON where a file is named."""
    for item in rows:
        met = {True: "yes", False: "NO", None: ""}[item["met"]]
        print(f"{item['name']:<84} {item['value']:>10.4g} {item['unit']:<17} {item['target']:<9} {met}", flush=True)
    if path:
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    rows: list[dict] = []
    for path in sorted(HERE.glob("bench_*.py")):
        rows += bench_script(path)
    rows += bench_demo()
    report(rows, arguments.json)
    print(f"peak memory of the children: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
