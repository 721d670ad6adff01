"""Starts Carillon's stack on the AWS emulator, prints its addresses, and removes it.

    python stack.py up   --dir DIR --api-zip ZIP --executor-zip ZIP [--var-file FILE] [--var NAME=VALUE]...
    python stack.py plan --dir DIR
    python stack.py down --dir DIR

`up` starts an emulator with a free port and an account of its own, applies infra/example to it with the real Terraform, and
prints the addresses and keys of the stack as one JSON object; progress goes to stderr. A VALUE is JSON, or else a string; a
FILE is a JSON object of variables. If the stack runs already, `up` applies changes to it, such as new zips. `plan` prints the
changes that an apply would make, and fails if there are any: after `up` there must be none. All files are written to DIR, which
`down` removes; the source tree is only read.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
REGION = "eu-west-1"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # bypasses a proxy of the caller

_children: list[subprocess.Popen] = []  # kept, because Python warns when a running process is dropped


class StackError(Exception):
    """An error with a message for the user."""


def up(directory: Path, infra: Path, variables: dict) -> dict:
    """Applies `infra`/example with `variables` to the emulator of `directory`, which it starts if none is running.
    Returns the keys of the emulator (endpoint, region, access_key_id, secret_access_key), the address and the first key of
    the API (api_url, api_key), and every output of the module.
    """
    terraform_binary()  # before anything is started
    stack = running(directory)
    started_here = stack is None
    stack = stack or start(directory)
    try:
        stack |= apply(directory, infra, stack, variables)
    except BaseException:
        if started_here:
            stop(stack["pid"])  # the directory stays, with its logs
        raise
    save(directory, stack)
    return stack


def down(directory: Path) -> None:
    """Stops the emulator with all its functions, and removes the directory."""
    stack = load(directory)
    if answers(stack["endpoint"]):  # else its process id may belong to another process by now
        stop(stack["pid"])
    shutil.rmtree(directory)


# --- The emulator -----------------------------------------------------------------------------------------------------


def running(directory: Path) -> dict | None:
    """Returns the running stack of `directory`. Removes the remains of one that no longer runs."""
    if not (directory / "stack.json").exists():
        return None
    stack = load(directory)
    if answers(stack["endpoint"]):
        return stack
    down(directory)
    return None


def start(directory: Path) -> dict:
    """Starts an emulator and waits until it answers."""
    started = time.monotonic()
    port, scratch, log = free_port(), directory / "emulator", directory / "emulator.log"
    scratch.mkdir(parents=True)
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, HERE / "launcher.py", str(port), REGION],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,  # so that one signal also reaches the functions that it starts
        )
    _children.append(process)
    stack = {
        "endpoint": f"http://127.0.0.1:{port}",
        "region": REGION,
        "access_key_id": str(10**11 + secrets.randbelow(9 * 10**11)),  # 12 digits: the account of that number
        "secret_access_key": "test",
        "api_key": f"car_{secrets.token_urlsafe(32)}",
        "pid": process.pid,
    }
    save(directory, stack)
    while not answers(stack["endpoint"]):
        if process.poll() is not None or time.monotonic() - started > 30:
            stop(process.pid)
            raise StackError(f"the emulator did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)
    progress("emulator", started)
    return stack


def stop(pid: int) -> None:
    """Ends the emulator's session with SIGTERM, and with SIGKILL after five seconds."""
    for attempt in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 5
        alive = signalled(pid, attempt)
        while alive and time.monotonic() < deadline:
            time.sleep(0.05)
            alive = signalled(pid, 0)
        if not alive:
            return


def signalled(pid: int, number: int) -> bool:
    """Signals the session; the number 0 sends no signal. True if the session has a process left."""
    with contextlib.suppress(ChildProcessError):  # an earlier run may have started it
        os.waitpid(pid, os.WNOHANG)
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    return True


def answers(endpoint: str) -> bool:
    try:
        with DIRECT.open(f"{endpoint}/_ministack/health", timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- Terraform --------------------------------------------------------------------------------------------------------


def apply(directory: Path, infra: Path, stack: dict, variables: dict) -> dict:
    """Applies a copy of `infra`, so that no state, lock or plug-in is left in the source tree. Returns the outputs."""
    started = time.monotonic()
    copy_sources(infra, directory / "infra")
    variables = {
        "region": REGION,
        # The functions run on this machine.
        "function_architecture": {"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "first_api_key_sha256": hashlib.sha256(stack["api_key"].encode()).hexdigest(),
        "deletion_protection": False,
    } | variables
    (directory / "infra" / "example" / "stack.auto.tfvars.json").write_text(json.dumps(variables, indent=2))
    terraform(directory, stack, "init", "-input=false", *plugin_dir())
    progress("terraform init", started)

    started = time.monotonic()
    # More than the default of 10, because nearly all of the time is waiting.
    terraform(directory, stack, "apply", "-auto-approve", "-input=false", "-parallelism=30")
    progress("terraform apply", started)

    outputs = json.loads(terraform(directory, stack, "output", "-json"))["carillon"]["value"]
    api_id = outputs["api_endpoint"].removeprefix("http://").split(".")[0]
    # The name of the endpoint is under .localhost, which some resolvers do not know. This address of the same API needs no name.
    return outputs | {"api_url": f"{stack['endpoint']}/_aws/execute-api/{api_id}/$default"}


def copy_sources(infra: Path, copy: Path) -> None:
    """Renews the copy, which keeps its own state. State and settings of the developer next to the sources are not copied."""
    for stale in copy.rglob("*.tf"):
        stale.unlink()
    shutil.copytree(infra, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*"))


def plan(directory: Path) -> list[str]:
    """Returns the changes that an apply would make, as `address: attribute, attribute`."""
    stack, file = load(directory), directory / "plan"
    terraform(directory, stack, "plan", "-input=false", f"-out={file}")
    changes = json.loads(terraform(directory, stack, "show", "-json", str(file))).get("resource_changes", [])
    return [f"{each['address']}: {', '.join(changed(each['change']))}" for each in changes if each["change"]["actions"] != ["no-op"]]


def changed(change: dict) -> list[str]:
    before, after = change["before"] or {}, change["after"] or {}
    return sorted({name for name in before | after if before.get(name) != after.get(name)} | set(change["after_unknown"]))


def terraform(directory: Path, stack: dict, command: str, *options: str) -> str:
    """Runs a Terraform command on the copy and returns its output, which is also in terraform.log."""
    run = subprocess.run(
        [terraform_binary(), command, "-no-color", *options],
        cwd=directory / "infra" / "example",
        env=terraform_environment() | credentials(stack),
        capture_output=True,
        text=True,
    )
    with open(directory / "terraform.log", "a") as log:
        log.write(f"$ terraform {command} {' '.join(options)}\n{run.stdout}{run.stderr}\n")
    if run.returncode != 0:
        raise StackError(f"terraform {command} failed:\n{run.stdout[-2000:]}{run.stderr[-4000:]}")
    return run.stdout


def terraform_environment() -> dict[str, str]:
    """Returns the caller's environment without AWS and Terraform settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    configuration = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if os.path.exists(configuration):  # Terraform warns if it does not exist
        kept["TF_CLI_CONFIG_FILE"] = configuration
    return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def credentials(stack: dict) -> dict[str, str]:
    """Returns the environment variables that direct the SDKs to the emulator."""
    return {
        "AWS_ACCESS_KEY_ID": stack["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": stack["secret_access_key"],
        "AWS_ENDPOINT_URL": stack["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def terraform_binary() -> str:
    binary = shutil.which("terraform")
    if binary is None:
        raise StackError("terraform is not on PATH: install Terraform 1.9 or later")
    return binary


def plugin_dir() -> list[str]:
    """Returns the option for a local mirror with the AWS provider, if there is one. Otherwise init downloads the provider."""
    named = [Path(os.environ[name]) for name in ("TF_PLUGIN_DIR", "TF_PLUGIN_CACHE_DIR") if os.environ.get(name)]
    usual = [mirror for parent in ("/opt", "/usr/share", "/usr/local/share") for mirror in Path(parent).glob("*")]
    for mirror in named + usual:
        if any(mirror.glob("*/hashicorp/aws")):
            return [f"-plugin-dir={mirror}"]
    return []


# --- The directory and the command line -------------------------------------------------------------------------------


def save(directory: Path, stack: dict) -> None:
    (directory / "stack.json").write_text(json.dumps(stack, indent=2))


def load(directory: Path) -> dict:
    try:
        return json.loads((directory / "stack.json").read_text())
    except FileNotFoundError:
        raise StackError(f"there is no stack in {directory}") from None


def progress(what: str, started: float) -> None:
    print(f"{what}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def variable(argument: str) -> tuple[str, object]:
    name, _, value = argument.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "plan", "down"):
        command = commands.add_parser(name)
        command.add_argument("--dir", type=Path, required=True, help="directory for all files of this stack")
        if name == "up":
            command.add_argument("--api-zip", type=Path, required=True)
            command.add_argument("--executor-zip", type=Path, required=True)
            command.add_argument("--infra", type=Path, default=HERE.parents[1] / "infra", help="the Terraform to apply")
            command.add_argument("--var-file", type=Path, help="variables of infra/example, as a JSON object")
            command.add_argument("--var", type=variable, action="append", default=[], help="a variable of infra/example")
    return parser.parse_args()


def main() -> None:
    arguments = command_line()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that nothing is left running
    directory = arguments.dir.resolve()
    try:
        match arguments.command:
            case "up":
                zips = {"api_zip": str(arguments.api_zip.resolve()), "executor_zip": str(arguments.executor_zip.resolve())}
                shared = json.loads(arguments.var_file.read_text()) if arguments.var_file else {}
                print(json.dumps(up(directory, arguments.infra, zips | shared | dict(arguments.var)), indent=2))
            case "plan":
                if changes := plan(directory):
                    raise StackError("an apply would change:\n" + "\n".join(changes))
            case "down":
                down(directory)
    except StackError as error:
        sys.exit(f"stack: {error}")


if __name__ == "__main__":
    main()
