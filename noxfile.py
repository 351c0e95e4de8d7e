"""Every check of zspy, each in an environment of its own: ``python -m nox --list``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.sessions = ["style", "typing", "tests"]
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
OLDEST = PYTHONS[0]
# Tests with HyperSpy have sessions of their own.
ALONE = ("--ignore=tests/interop", "--ignore=tests/hyperspy")


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, name)


def _run_tests(session: nox.Session) -> None:
    """Run the tests on this Python."""
    session.install("-e", ".[all]", *_group("test"))
    # Each session counts for itself, also where several run at the same time.
    data = Path(session.create_tmp()).resolve() / "coverage"
    environment = {"COVERAGE_FILE": str(data)}
    session.run("coverage", "erase", env=environment)
    session.run(
        *("coverage", "run", "-m", "pytest", *ALONE, *session.posargs),
        env=environment,
    )
    session.run("coverage", "combine", "--quiet", env=environment)
    # A selection of tests cannot cover everything, nor what is for Linux another system.
    gate = ["--fail-under=0"] if session.posargs or sys.platform != "linux" else []
    session.run("coverage", "report", *gate, env=environment)


@nox.session(tags=["ci"])
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox; every branch of src/zspy is covered."""
    _run_tests(session)


for version in PYTHONS:
    nox.session(name=f"tests-{version}", python=version, tags=["ci"])(_run_tests)


@nox.session(python=OLDEST, tags=["ci"])
def minimum(session: nox.Session) -> None:
    """Run the tests on the oldest versions that pyproject.toml allows."""
    pins = ("numcodecs==0.16.6", "numpy==2.0.0", "zarr==3.1.0")
    # numcodecs warns about the crc32c that zarr 3.1.0 asks for, unless its successor is there too.
    session.install(
        *(
            "-e",
            ".[distributed,icechunk,lmdb,progress,remote,testing]",
            "google-crc32c",
            *_group("test"),
            *pins,
        )
    )
    # Leaves whose optional package is absent have no examples to run.
    session.run(
        *("pytest", *ALONE, "--doctest-ignore-import-errors", *session.posargs),
    )


@nox.session(tags=["ci"])
def style(session: nox.Session) -> None:
    """Lint, and compare the formatting."""
    session.install(*_group("style"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(tags=["ci"])
def typing(session: nox.Session) -> None:
    """Check the types with mypy and pyright, both strict."""
    session.install("-e", ".[all]", *_group("test"), *_group("typing"))
    session.run("mypy")
    session.run("pyright")
    # All that users see has a known type; outside of the checkout, as they have it.
    work = session.create_tmp()
    session.run("pyright", "--verifytypes", "zspy", "--ignoreexternal", env={"PYTHONPATH": work})


@nox.session(name="property", tags=["ci"])
def properties(session: nox.Session) -> None:
    """Run the property tests with more examples: ``nox -s property -- 10000``."""
    session.install("-e", ".[dask,lmdb,testing]", *_group("test"))
    examples, *rest = session.posargs or [os.environ.get("ZSPY_EXAMPLES", "1000")]
    session.run("pytest", "tests/property", *rest, env={"ZSPY_EXAMPLES": examples})


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutate the rooms of values; tests notice: ``nox -s mutation -- 'zspy.values.names*'``."""
    session.install("-e", ".[dask,testing]", "mutmut>=3.8", *_group("test"))
    settings = {"HYPOTHESIS_PROFILE": "mutation", "ZSPY_EXAMPLES": "5"}
    settings["DASK_SCHEDULER"] = "synchronous"  # a mutant is a fork: threads do not survive it
    session.run("mutmut", "run", *session.posargs, env=settings)
    session.run("mutmut", "results")
    session.run("mutmut", "export-cicd-stats")
    found = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    killed = found["killed"] + found["timeout"]
    if not session.posargs and killed < 0.9 * found["total"]:
        session.error(f"{killed} of {found['total']} mutants were killed")


@nox.session(tags=["ci"])
def fuzz(session: nox.Session) -> None:
    """Read damaged files by the thousand: ``nox -s fuzz -- --seconds 600 --seed 1``."""
    session.install("-e", ".[dask,lmdb]", *_group("test"))
    budget = session.posargs or ["--seconds", "60"]
    session.run("python", "-m", "tests.security.fuzz", *budget)


@nox.session(tags=["ci"])
def interop(session: nox.Session) -> None:
    """Compare with the released programs, which run in environments that the tests make."""
    session.install("-e", ".[dask,lmdb,testing]", *_group("test"))
    session.run("pytest", "tests/interop", *session.posargs)


@nox.session(tags=["ci"])
def hyperspy(session: nox.Session) -> None:
    """Let HyperSpy load and save through zspy, on zarr-python 3, and run RosettaSciIO's tests."""
    session.install(
        *("-e", ".[dask,lmdb,progress,testing]", *_group("test")),
        *("hyperspy==2.5.0", "rosettasciio==0.15.0", "exspy==0.3.2"),
        *("filelock", "h5py", "pooch", "pytest-xdist"),  # what the tests of RosettaSciIO import
    )
    headless = {"MPLBACKEND": "Agg"}
    session.run(
        *("pytest", "tests/hyperspy", "tests/test_hyperspy.py", "src/zspy/hyperspy.py"),
        *session.posargs,
        env=headless,
    )
    plain = ("-c", os.devnull, "--rootdir", session.create_tmp(), "-p", "no:cacheprovider")
    tests = ("rsciio.tests.test_zspy", "rsciio.tests.test_hspy", "-k", "zspy")
    plugin = ("-p", "tests.hyperspy.upstream", "-W", "ignore")
    session.run("python", "-m", "pytest", *plain, *plugin, "--pyargs", *tests, env=headless)


@nox.session(tags=["ci"])
def browser(session: nox.Session) -> None:
    """Open the tree for notebooks in a real browser, where there is Chromium."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.skip("there is no Chromium")
    session.install("-e", ".", *_group("test"))
    session.run("pytest", "tests/apps/test_browser.py", *session.posargs)


@nox.session(tags=["ci"])
def demo(session: nox.Session) -> None:
    """Save a 4D-STEM scan, load it, and show what is on disk."""
    session.install(".")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session(python=[OLDEST, PYTHONS[-1]], tags=["ci"])
def build(session: nox.Session) -> None:
    """Build both distributions, and run the demo on the wheel alone: oldest and newest Python."""
    session.install("build", "twine")
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(work / "dist"))
    files = sorted(str(file) for file in (work / "dist").iterdir())
    session.run("twine", "check", "--strict", *files)
    session.run("python", "-m", "venv", "--clear", str(work / "alone"))
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = str(work / "alone" / scripts / "python")
    (wheel,) = (file for file in files if file.endswith(".whl"))
    session.run(python, "-m", "pip", "install", "--quiet", wheel, external=True)
    # Isolated: nothing is imported from the checkout.
    session.run(python, "-I", "examples/demo.py", external=True)


@nox.session(tags=["ci"])
def docs(session: nox.Session) -> None:
    """Build the pages, without a warning: ``nox -s docs -- serve`` shows them meanwhile."""
    session.install(".", *_group("docs"))
    command = session.posargs or ["build", "--site-dir", str(Path(session.create_tmp()) / "site")]
    # The theme announces its successor on every run.
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure zspy and the released programs in turn: ``nox -s bench -- ROUNDS WORK ...``."""
    session.install("-e", ".[dask,plot]", "h5py", *_group("test"))
    session.run("python", "-m", "benchmarks", *session.posargs)


if __name__ == "__main__":
    nox.main()
