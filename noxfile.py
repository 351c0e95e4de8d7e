"""Every check of zspy, each in an environment of its own: ``python -m nox --list``.

``nox -s tests`` tells in three minutes whether the library works. What takes longer is a session of
its own; ``.ci/run`` runs a part of each, always the same part.
"""

from __future__ import annotations

import json
import os
import re
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
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]
# Tests with the released programs have sessions of their own.
ALONE = tuple(
    f"--ignore=tests/{name}" for name in ("interop", "hyperspy", "clients", "zarrs", "xarray")
)
# So have these, by their marks.
LONG = ("cluster", "kills", "remote", "samples", "suite")
HEADLESS = {"MPLBACKEND": "Agg"}
# Two workers for each session: .ci/run sets none, since it has several sessions at a time.
PARALLEL = ("-n", os.environ.get("ZSPY_WORKERS", "auto"), "--dist", "worksteal")


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, name)


def _install(session: nox.Session, extras: str = "all", *more: str) -> None:
    session.install("-e", f".[{extras}]", *_group("test"), *more)


def _run_tests(session: nox.Session) -> None:
    """Run the tests on this Python: three minutes on two quiet cores."""
    session.log("This takes about 3 minutes on two quiet cores, once everything is installed.")
    for mark in LONG:
        session.log(f"Not here: the tests with the mark {mark!r}, see `nox -s {mark}`.")
    for name in ("property", "interop", "hyperspy", "clients"):
        session.log(f"Not here: `nox -s {name}`.")
    _install(session)
    environment = {"HYPOTHESIS_PROFILE": "ci", "ZSPY_EXAMPLES": "10", **HEADLESS}
    marks = " and ".join(f"not {mark}" for mark in LONG)
    session.run("pytest", *PARALLEL, *ALONE, "-m", marks, *session.posargs, env=environment)


@nox.session(tags=["ci"])
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox: three minutes on two quiet cores."""
    _run_tests(session)


for version in PYTHONS:
    nox.session(name=f"tests-{version}", python=version, tags=["ci"])(_run_tests)


@nox.session(tags=["ci"])
def coverage(session: nox.Session) -> None:
    """Run all tests that need no other program; every branch of src/zspy is covered."""
    _install(session, "all", "netCDF4")
    # Each session counts for itself, also where several run at the same time.
    data = Path(session.create_tmp()).resolve() / "coverage"
    environment = {"COVERAGE_FILE": str(data), "HYPOTHESIS_PROFILE": "ci", "ZSPY_EXAMPLES": "10"}
    environment |= HEADLESS
    session.run("coverage", "erase", env=environment)
    command = ("coverage", "run", "-m", "pytest", *PARALLEL, *ALONE, *session.posargs)
    session.run(*command, env=environment)
    session.run("coverage", "combine", "--quiet", env=environment)
    if session.posargs:
        session.log("A selection of tests cannot cover everything: no report.")
        return
    # What is for Linux cannot be covered elsewhere.
    gate: list[str] = ["--fail-under=0"] if sys.platform != "linux" else []
    session.run("coverage", "report", *gate, env=environment)


@nox.session(python=OLDEST, tags=["ci"])
def minimum(session: nox.Session) -> None:
    """Run the tests on the oldest versions that pyproject.toml allows."""
    pins = ("numcodecs==0.16.6", "numpy==2.0.0", "zarr==3.1.0")
    # numcodecs warns about the crc32c that zarr 3.1.0 asks for, unless its successor is there too.
    extras = "distributed,icechunk,lmdb,progress,remote,testing"
    _install(session, extras, "google-crc32c", *pins)
    environment = {"HYPOTHESIS_PROFILE": "ci", "ZSPY_EXAMPLES": "5"}
    marks = " and ".join(f"not {mark}" for mark in LONG)
    # Modules whose optional package is absent have no examples to run.
    session.run(
        *("pytest", *PARALLEL, *ALONE, "-m", marks, "--doctest-ignore-import-errors"),
        *session.posargs,
        env=environment,
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
    _install(session, "all", *_group("typing"))
    session.run("mypy")
    session.run("pyright")
    # All that users see has a known type; outside of the checkout, as they have it.
    work = session.create_tmp()
    session.run("pyright", "--verifytypes", "zspy", "--ignoreexternal", env={"PYTHONPATH": work})


# --------------------------------------------------------------------------------------------------
# Long ones: what .ci/run does not do of them is said by the defaults here


@nox.session(name="property", tags=["ci"])
def properties(session: nox.Session) -> None:
    """Run the property tests with more examples: ``nox -s property -- 10000``."""
    _install(session, "dask,lmdb,testing")
    examples, *rest = session.posargs or [os.environ.get("ZSPY_EXAMPLES", "1000")]
    session.log(f"{examples} examples of each law")
    session.run("pytest", *PARALLEL, "tests/property", *rest, env={"ZSPY_EXAMPLES": examples})


def _marked(session: nox.Session, mark: str) -> None:
    _install(session)
    session.run("pytest", *ALONE, "-m", mark, *session.posargs, env={"HYPOTHESIS_PROFILE": "ci"})


@nox.session(tags=["ci"])
def cluster(session: nox.Session) -> None:
    """Write and read by other processes: those of dask, and two workers of dask.distributed."""
    _marked(session, "cluster")


@nox.session(tags=["ci"])
def remote(session: nox.Session) -> None:
    """Read and write at URLs: an object store and web servers on the loopback."""
    _marked(session, "remote")


@nox.session(tags=["ci"])
def samples(session: nox.Session) -> None:
    """Look at many examples of the strategies: they hold what is hard, and nothing else."""
    _marked(session, "samples")


@nox.session(tags=["ci"])
def suite(session: nox.Session) -> None:
    """Run zarr's own tests of stores on each of ours, in every variant."""
    _marked(session, "suite")


@nox.session(tags=["ci"])
def kills(session: nox.Session) -> None:
    """Kill a writing process at each of its steps: the file is the old or the new one.

    ``ZSPY_KILLS`` (100) says how often each kind of write is killed, and ``ZSPY_RUNS`` (30) how
    many runs the state machine of tests/property has: 2,000 take an hour.
    """
    _marked(session, "kills")


@nox.session(tags=["ci"])
def fuzz(session: nox.Session) -> None:
    """Read damaged files by the thousand: ``nox -s fuzz -- --count 100000 --seed 1``."""
    _install(session, "dask,lmdb")
    count = session.posargs or ["--count", os.environ.get("ZSPY_FUZZ", "3000")]
    session.run("python", "-m", "tests.security.fuzz", *count)


@nox.session(tags=["ci"])
def attack(session: nox.Session) -> None:
    """Read and use files that are made to cost too much; let each system call of each write fail.

    ``nox -s attack -- --count 40000 --seed 1``
    """
    _install(session, "dask,lmdb,plot,xarray")
    count = session.posargs or ["--count", os.environ.get("ZSPY_ATTACK", "1000")]
    session.run("python", "-m", "tests.security.attack", *count)
    session.run("python", "-m", "tests.security.uses", *count)


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutate the modules of values; tests notice: ``nox -s mutation -- 'zspy.values.names*'``."""
    _install(session, "dask,testing,xarray", "mutmut>=3.8")  # xarray comes with pandas
    settings = {"HYPOTHESIS_PROFILE": "mutation", "ZSPY_EXAMPLES": "5"}
    settings["DASK_SCHEDULER"] = "synchronous"  # a mutant is a fork: threads do not survive it
    session.run("mutmut", "run", *session.posargs, env=settings)
    session.run("mutmut", "results")
    session.run("mutmut", "export-cicd-stats")
    found = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    killed = found["killed"] + found["timeout"]
    if not session.posargs and killed < 0.9 * found["total"]:
        session.error(f"{killed} of {found['total']} mutants were killed")


# --------------------------------------------------------------------------------------------------
# Other programs


@nox.session(tags=["ci"])
def interop(session: nox.Session) -> None:
    """Compare with the released programs, which run in environments that the tests make."""
    _install(session, "dask,lmdb,testing")
    session.run("pytest", "tests/interop", *session.posargs)


@nox.session(tags=["ci"])
def hyperspy(session: nox.Session) -> None:
    """Let HyperSpy load and save through zspy, on zarr-python 3, and run RosettaSciIO's tests."""
    programs = ("hyperspy==2.5.0", "rosettasciio==0.15.0", "exspy==0.3.2")
    imported = ("filelock", "h5py", "pooch")  # by the tests of RosettaSciIO
    _install(session, "dask,lmdb,progress,testing", *programs, *imported)
    ours = ("tests/hyperspy", "tests/test_hyperspy.py", "src/zspy/hyperspy.py")
    session.run("pytest", *PARALLEL, *ours, *session.posargs, env=HEADLESS)
    plain = ("-c", os.devnull, "--rootdir", session.create_tmp(), "-p", "no:cacheprovider")
    theirs = ("rsciio.tests.test_zspy", "rsciio.tests.test_hspy", "-k", "zspy")
    plugin = ("-p", "tests.hyperspy.upstream", "-W", "ignore")
    session.run("python", "-m", "pytest", *plain, *plugin, "--pyargs", *theirs, env=HEADLESS)


@nox.session(tags=["ci"])
def clients(session: nox.Session) -> None:
    """Run the tests of HyperSpy's programs on zspy, for hours: ``nox -s clients -- --part``.

    Each signal that they make is saved and loaded. A part takes five minutes once the environments
    are made.
    """
    few = ("exspy", "lumispy", "holospy")  # the others take longer
    part = ["--part", *few] if os.environ.get("ZSPY_CLIENTS") == "part" else []
    session.run("python", "-m", "tests.clients", *(session.posargs or part))


@nox.session(python=[OLDEST, NEWEST])
def zarrs(session: nox.Session) -> None:
    """Exchange thousands of arrays with zarr-python: 2, 3.1.0 and the newest, and tensorstore."""
    oldest = session.python == OLDEST
    pins = ("zarr==3.1.0", "google-crc32c") if oldest else ()
    _install(session, "dask,testing", "tensorstore", *pins)
    examples = {"ZSPY_EXAMPLES": os.environ.get("ZSPY_EXAMPLES", "200")}
    session.run("pytest", "tests/zarrs", *session.posargs, env=examples)


@nox.session
def xarray(session: nox.Session) -> None:
    """Run xarray's own tests of backends with the engine of zspy, and exchange netCDF files."""
    _install(session, "dask,testing,xarray", "netCDF4", "h5netcdf", "scipy")
    session.run("pytest", "-c", "tests/xarray/pytest.ini", "tests/xarray", *session.posargs)


@nox.session(tags=["ci"])
def browser(session: nox.Session) -> None:
    """Open the tree for notebooks in a real browser, where there is Chromium."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.skip("there is no Chromium")
    session.install("-e", ".", *_group("test"))
    session.run("pytest", "tests/apps/test_browser.py", *session.posargs)


# --------------------------------------------------------------------------------------------------
# What users get


@nox.session(tags=["ci"])
def demo(session: nox.Session) -> None:
    """Save a 4D-STEM scan, load it, and show what is on disk."""
    session.install(".")
    session.run("python", "examples/demo.py", *session.posargs)


def _distributions(session: nox.Session, folder: Path) -> list[str]:
    """Build both distributions into a folder, and return their files."""
    session.install("build", "twine")
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder))
    files = sorted(str(file) for file in folder.iterdir())
    session.run("twine", "check", "--strict", *files)
    return files


@nox.session(python=[OLDEST, NEWEST], tags=["ci"])
def build(session: nox.Session) -> None:
    """Build both distributions, and run the demo on the wheel alone: oldest and newest Python."""
    work = Path(session.create_tmp()).resolve()
    files = _distributions(session, work / "dist")
    session.run("python", "-m", "venv", "--clear", str(work / "alone"))
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = str(work / "alone" / scripts / "python")
    (wheel,) = (file for file in files if file.endswith(".whl"))
    session.run(python, "-m", "pip", "install", "--quiet", wheel, external=True)
    # Isolated: nothing is imported from the checkout.
    session.run(python, "-I", "examples/demo.py", external=True)


def _notes(version: str) -> str:
    """Return what the changelog says of a version, which it has to date."""
    text = Path("CHANGELOG.md").read_text(encoding="utf-8")
    section = rf"(?ms)^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}\n(.*?)(?=^## \[|\Z)"
    found = re.search(section, text)
    return found[1].strip() if found else ""


@nox.session
def release(session: nox.Session) -> None:
    """Check, build and tag a version: ``nox -s release -- 0.2.0``. It publishes nothing.

    dist/ then holds the distributions, the notes and a list of what zspy is made of (SBOM). The tag
    is pushed by hand; .github/workflows/release.yml does the rest. ``--no-tag`` makes no tag.
    """
    version, *options = session.posargs or [""]
    places = {
        "src/zspy/__init__.py": f'__version__ = "{version}"',
        "CITATION.cff": f"version: {version}",
    }
    for file, line in places.items():
        if line not in Path(file).read_text(encoding="utf-8").splitlines():
            session.error(f"{file} has no line {line!r}")
    if not (notes := _notes(version)):
        session.error(f"CHANGELOG.md has no section [{version}] with a date and a text")
    changed = session.run("git", "status", "--porcelain", external=True, silent=True)
    if changed and "--no-tag" not in options:
        session.error(f"commit first:\n{changed}")
    folder = Path("dist").resolve()
    files = _distributions(session, folder)
    session.install("cyclonedx-bom")
    # Alone: the tools of this session are no part of zspy.
    alone = Path(session.create_tmp()).resolve() / "alone"
    session.run("python", "-m", "venv", "--clear", "--without-pip", str(alone))
    (wheel,) = (file for file in files if file.endswith(".whl"))
    session.run("python", "-m", "pip", "--python", str(alone), "install", "--quiet", wheel)
    sbom = folder / "sbom.json"
    settings = ("--pyproject", "pyproject.toml", "-o", str(sbom))
    session.run("cyclonedx-py", "environment", str(alone), *settings)
    made = json.loads(sbom.read_text(encoding="utf-8"))
    made["metadata"]["component"]["version"] = version  # pyproject.toml has none
    sbom.write_text(json.dumps(made, indent=2), encoding="utf-8")
    (folder / "notes.md").write_text(f"{notes}\n", encoding="utf-8")
    if "--no-tag" not in options:
        message = ("-m", f"zspy {version}", "-m", notes)
        session.run("git", "tag", "--annotate", f"v{version}", *message, external=True)
        session.log(f"The tag v{version} is here only: `git push origin v{version}` releases it.")


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
