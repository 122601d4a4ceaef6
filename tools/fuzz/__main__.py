"""Run the fuzzer: `python -m tools.fuzz --minutes 60 --seed 0 --keep faults/`."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from tools.fuzz.mutations import damaged
from tools.fuzz.readers import Reader, make_readers
from zsadbench.errors import ZsadError

SLOW = 60.0  # seconds; a reader that takes longer hangs


def fault_of(reader: Reader, content: bytes) -> str:
    """Read a damaged file; return what is wrong with the reader, empty if nothing is."""
    reader.file.write_bytes(content)
    start = time.perf_counter()
    try:
        reader.read(reader.file)
    except ZsadError as failure:
        if reader.strict:
            return f"raises {type(failure).__name__}: {failure}"
        if len(str(failure).splitlines()) > 4:
            return f"a message of {len(str(failure).splitlines())} lines: {str(failure)[:200]}"
    except BaseException as failure:
        place = traceback.extract_tb(failure.__traceback__)[-1]
        return f"{type(failure).__name__} at {Path(place.filename).name}:{place.lineno}: {str(failure)[:200]}"
    taken = time.perf_counter() - start
    return f"takes {taken:.0f} s" if taken > SLOW else ""


def fuzz(readers: list[Reader], seconds: float, seed: int, keep: Path | None) -> tuple[Counter[str], dict[str, str]]:
    """Damage every file in turn until the time is over; return inputs by family, and the distinct faults."""
    chance, inputs = random.Random(seed), Counter[str]()
    faults: dict[str, str] = {}
    originals = {reader.file: reader.file.read_bytes() for reader in readers}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for reader in readers:
            content = damaged(originals[reader.file], chance)
            fault = fault_of(reader, content)
            inputs[reader.family] += 1
            key = f"{reader.family}: {fault.split(': ')[0]}"
            if fault and key not in faults:
                faults[key] = fault
                print(f"{reader.family}, {reader.file.name}: {fault}", flush=True)
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{len(faults)}-{reader.file.name}").write_bytes(content)
            reader.file.write_bytes(originals[reader.file])
    return inputs, faults


def main() -> None:
    """Read the arguments, fuzz, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that show a fault")
    parser.add_argument("--only", help="family of readers")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        readers = [one for one in make_readers(Path(folder)) if arguments.only in {None, one.family}]
        inputs, faults = fuzz(readers, 60 * arguments.minutes, arguments.seed, arguments.keep)
    print("| reader | inputs | distinct faults |\n| --- | --- | --- |")
    for family, number in inputs.items():
        found = sum(key.startswith(f"{family}: ") for key in faults)
        print(f"| {family} | {number:,} | {found} |")


if __name__ == "__main__":
    main()
