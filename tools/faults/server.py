"""A process that has imported and compiled everything, and forks one for each run: so a run of a second starts at once.

It reads one JSON object per line: `arguments` of the command line, `environment`, `log`, the file for its messages, and
`fail`, which is null or [number, file]: the process kills itself with the write step of this number, counted from 1,
and the name of the step is written into the file. It answers with one line each: `started PID`, then `ended PID CODE`.
The first line is a run of its own, in this process, that loads all that runs need; its methods are forgotten after it.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    """Fork a process for each line, and say when it ends."""
    import torch

    from zsadbench.cli import main as command

    torch.set_num_threads(1)
    warm(json.loads(sys.stdin.readline()), command)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run(request, command)
        print(f"started {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {child} {os.waitstatus_to_exitcode(status)}", flush=True)


def warm(request: dict[str, Any], command: Any) -> None:
    """Run the command line in this process once, and forget what it has registered."""
    import logging
    from contextlib import redirect_stderr, redirect_stdout

    from zsadbench import registry

    os.environ.update(request["environment"])
    sys.argv = ["zsadbench", *request["arguments"]]
    with Path(request["log"]).open("w") as log, redirect_stdout(log), redirect_stderr(log), suppress(SystemExit):
        command()
    for name in list(registry._plugins):
        del registry._plugins[name], registry._points("methods")[name]
    registry._plugin_files.clear()
    logging.getLogger().handlers.clear()


def run(request: dict[str, Any], command: Any) -> None:
    """Run the command line in this process, and end it."""
    os.environ.update(request["environment"])
    descriptor = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["fail"] is not None:
        set_fail_point(*request["fail"])
    sys.argv = ["zsadbench", *request["arguments"]]
    code = 0
    try:
        command()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def set_fail_point(number: int, said: str) -> None:
    """Have this process kill itself with the write step of this number; one that is torn is half written by then."""
    from zsadbench import files

    steps = iter(range(1, number))

    def fail(step: str, path: Path) -> None:
        if next(steps, None) is None:
            Path(said).write_text(f"{step} {path.name}")
            os.kill(os.getpid(), signal.SIGKILL)

    files.fail_point = fail


if __name__ == "__main__":
    main()
