"""Starts the stack from the sources, for ./tests/run: an environment for the emulator, the functions and their zips.

All files are below target/stack, and are made again only when their sources have changed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "target" / "stack"
CARGO = os.environ.get("CARGO", "cargo")

# The functions as they are deployed: the profile decides optimisation and panics.
BUILD = [CARGO, "build", "--profile", "function", "--locked", "-p", "carillon-api", "-p", "carillon-executor"]
FUNCTIONS = ("api", "executor")


@contextlib.contextmanager
def stack(name: str, *options: str) -> Iterator[tuple[Path, dict]]:
    """Starts the stack with further `options` of `stack.py up`, and removes it at the end, also after an error. Yields its
    directory and the output of `stack.py`. The logs of the last stack stay in target/stack/logs.
    """
    python, directory = environment("emulator", HERE / "requirements.txt"), WORK / name
    zips = {function: WORK / f"{function}.zip" for function in FUNCTIONS}
    for function, executable in executables().items():
        pack(executable, zips[function])
    up = ["up", "--dir", directory, "--api-zip", zips["api"], "--executor-zip", zips["executor"], *options]
    try:
        printed = run([python, HERE / "stack.py", *up], stdout=subprocess.PIPE)
        yield directory, json.loads(printed)
    finally:
        keep_logs(directory)
        if (directory / "stack.json").exists():
            run([python, HERE / "stack.py", "down", "--dir", directory])


def environment(name: str, requirements: Path) -> Path:
    """Returns the interpreter of a virtual environment with exactly these requirements."""
    folder = WORK / f"{name}-venv"
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = f"# {sys.version}\n{requirements.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])
        stamp.write_text(wanted)
    return python


def executables() -> dict[str, Path]:
    """Builds the functions and returns their executables."""
    messages = run([*BUILD, "--message-format", "json-render-diagnostics"], stdout=subprocess.PIPE).splitlines()
    built = [Path(path) for path in (json.loads(message).get("executable") for message in messages) if path]
    return {path.name: path for path in built if path.name in FUNCTIONS}


def pack(executable: Path, zip_file: Path) -> None:
    """Packs an executable for Lambda, as `bootstrap` at the root. The same input gives the same zip, so that an unchanged
    function is not deployed again.
    """
    entry = zipfile.ZipInfo("bootstrap")  # of 1980
    entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(zip_file, "w") as archive:
        archive.writestr(entry, executable.read_bytes())


def keep_logs(directory: Path) -> None:
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for log in directory.glob("*.log"):
        shutil.copy(log, logs)


def run(command: list, **options) -> str:
    """Runs a command at the root, which prints its own errors. Returns its output if stdout is captured."""
    print("$", *command, file=sys.stderr, flush=True)
    ended = subprocess.run(list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, text=True, **options)
    if ended.returncode != 0:
        raise DeployError(f"{Path(command[0]).name} exited with status {ended.returncode}")
    return ended.stdout


class DeployError(Exception):
    """A step that failed."""
