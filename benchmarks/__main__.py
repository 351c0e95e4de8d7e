"""Measure zspy, other programs and the limit in turn: ``python -m benchmarks [ROUNDS] [WORK ...]``.

The programs do the same work one after the other, again and again, so that what slows the machine
down slows down all of them. A ratio is that of the medians; its spread is that of the rounds. With
no word after the rounds everything is measured, the size of chunks as well, and docs/ gets the
figures, the picture and the tables of its page. Half an hour on a quiet machine is enough.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import IO, Any, Final, cast

from benchmarks import chunks
from benchmarks.report import filled
from benchmarks.worker import WORKS
from tests.interop.environments import REFERENCE, python_of

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
PAGE: Final = DOCS / "performance.md"
ROUNDS: Final = 7
TIMES: Final = ("seconds", "cpu")  # of the clock, and of all threads
FAST: Final = 3  # times as many rounds, where one takes milliseconds
HSPY: Final = ("reference", "zspy")
BOTH: Final = (*HSPY, "zspy, format 3")
ALL: Final = (*BOTH, "zarr", "h5py", "limit")

# Each work with who does it, and what is aimed at: a ratio to the reference in format 2 and 3.
Figures = dict[str, Any]
TARGETS: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "scan, write": (0.9, None),
    "scan, read": (0.7, None),
    "scan, one frame": (0.12, 0.08),
    "ragged, write": (0.5, 0.3),
    "ragged, read": (0.3, 0.15),
    "tree, write": (0.15, None),
    "tree, read": (0.2, None),
}


def programs_of(work: str) -> tuple[str, ...]:
    """Tell which programs do a work."""
    if work.startswith("scan"):
        return ALL
    return BOTH if work.startswith(("ragged", "tree,", "memory")) else HSPY


@contextmanager
def worker(program: str, folder: Path) -> Generator[subprocess.Popen[str]]:
    """Start a program in its environment."""
    python = python_of(REFERENCE) if program == "reference" else Path(sys.executable)
    command = [str(python), "-m", "benchmarks.worker", program, str(folder / program)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    if program == "reference":
        environment.pop("PYTHONPATH")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        cast("IO[str]", process.stdin).close()


def ask(process: subprocess.Popen[str], work: str) -> dict[str, float]:
    """Have a program do a work once."""
    stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
    stdin.write(f"{work}\n")
    stdin.flush()
    answer: dict[str, float] = json.loads(stdout.readline())
    return answer


def measured(work: str, programs: Mapping[str, subprocess.Popen[str]], rounds: int) -> Figures:
    """Let each program do a work in turn."""
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in programs_of(work)}
    for name in answers:  # once to warm up
        rounds *= FAST if ask(programs[name], work)["seconds"] < 0.1 and name == "zspy" else 1
    for _ in range(rounds):
        for name, found in answers.items():
            found.append(ask(programs[name], work))
    return _summed(answers)


def _summed(answers: Mapping[str, list[dict[str, float]]]) -> Figures:
    base = [one["seconds"] for one in answers["reference"]]
    figures: Figures = {}
    for name, rounds in answers.items():
        seconds = [one["seconds"] for one in rounds]
        each = [one / other for one, other in zip(seconds, base, strict=True)]
        figures[name] = {
            "ratio": _short(median(seconds) / median(base)),
            "spread": [_short(min(each)), _short(max(each))],
            **rounds[-1] | {key: _short(median(one[key] for one in rounds)) for key in TIMES},
        }
    return figures


def _short(number: float) -> float:
    return float(f"{number:.3g}")


def run(rounds: int, works: list[str]) -> dict[str, Figures]:
    """Measure works, and print what comes out."""
    results: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        programs = {name: stack.enter_context(worker(name, place)) for name in ALL}
        for work in works:
            if work.startswith("memory"):  # in processes that do nothing else
                answers: dict[str, list[dict[str, float]]] = {}
                for name in programs_of(work):
                    with worker(name, place) as process:
                        answers[name] = [ask(process, work)]
                results[work] = _summed(answers)
            else:
                results[work] = measured(work, programs, rounds)
            show(work, results[work])
    return results


def show(work: str, figures: Figures) -> None:
    """Print the figures of a work."""
    print(work)
    for name, found in figures.items():
        low, high = found["spread"]
        more = [
            f"{found[key] / unit:8.0f} {text}"
            for key, unit, text in (
                ("files", 1, "files"),
                ("bytes", 1e6, "MB"),
                ("peak", 1e6, "MB"),
            )
            if key in found
        ]
        print(
            f"  {name:15}{found['seconds'] * 1e3:10.1f} ms"
            f"{found['cpu'] * 1e3:10.1f} ms of CPU {found['ratio']:7.3f}"
            f" ({low:.3f} ... {high:.3f}){''.join(more)}",
            flush=True,
        )


def draw(results: Mapping[str, Figures], path: Path) -> None:
    """Draw the ratios to the reference."""
    import matplotlib as mpl

    mpl.use("Agg")
    plot: Any = import_module("matplotlib.pyplot")
    works = [work for work in results if not work.startswith(("memory", "one chunk"))]
    figure, axes = plot.subplots(figsize=(8, 0.55 * len(works) + 1.2), layout="constrained")
    colours: dict[str, str] = dict(zip(ALL, ("0.6", "C0", "C2", "C4", "C1", "k"), strict=True))
    for row, work in enumerate(works):
        for shift, name in enumerate(programs_of(work)):
            found = results[work][name]
            low, high = found["spread"]
            axes.errorbar(
                found["ratio"],
                row + 0.11 * (shift - 2),
                xerr=[[max(found["ratio"] - low, 0)], [max(high - found["ratio"], 0)]],
                color=colours[name],
                marker="|" if name == "limit" else "o",
                label=name if row == 0 else None,
            )
        for target, name in zip(TARGETS.get(work, ()), HSPY[1:] + BOTH[2:], strict=False):
            if target:
                axes.plot(target, row + 0.35, marker="^", color=colours[name], markersize=5)
    axes.set_xscale("log")
    axes.set_yticks(range(len(works)), works)
    axes.invert_yaxis()
    axes.axvline(1, color="0.6", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("time, relative to RosettaSciIO 0.15 (less is better; triangles: targets)")
    axes.legend(loc="lower left", fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)


def main(arguments: list[str]) -> None:
    """Measure what is asked for."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    works = [work for work in WORKS if not arguments[1:] or any(a in work for a in arguments[1:])]
    results = run(rounds, works)
    if len(works) < len(WORKS):
        return
    about = {
        "machine": f"{os.cpu_count()} cores",
        "rounds": rounds,
        "versions": {name: version(name) for name in ("zspy", "zarr", "numcodecs", "dask", "h5py")},
        "reference": list(REFERENCE.requirements),
    }
    with tempfile.TemporaryDirectory() as folder:
        found = {**about, "works": results, "chunks": chunks.measured(Path(folder), rounds)}
    DOCS.joinpath("benchmark.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(results, DOCS / "images" / "benchmark.png")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
