"""Kill runs at random moments, and check that nothing is lost.

    python -m tools.faults --kills 300              0 faults, or the exit code 1
    python -m tools.faults --kills 20 --minutes 0.5

A run of two methods, one of which learns in two stages, is killed and started again until it is complete; then the next
one begins. One kill in four comes at a step of a write, before, within or after it; one run in eight has two worker
processes; the signal is SIGKILL, and one time in six SIGTERM or SIGINT. After every kill: no class of a record is lost
or changed, no file is torn, no lock is held, no process is left. Of a complete run: records, tables, maps and
checkpoints are those of a run that was not killed, and per kill at most one shard and one epoch were done again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from tools.faults.checks import Found, check_after_kill, check_complete
from tools.faults.world import Chain, Server, World

MOST = 8  # kills of one run, which is left alone then
ENGINES = {"local": 1, "processes": 2}  # workers
PROCESSES = 0.125  # of the runs
AT_A_WRITE = 0.25  # of the kills
OTHER_SIGNALS = 1 / 6  # of the kills
WRITES = 120  # about as many steps of writes as a run has
FAULTS = ("lost", "torn", "locks", "orphans", "different", "leftovers", "repeated", "exit")


class Campaign:
    """Runs that are killed, and what was counted."""

    def __init__(self, server: Server, seed: int, kills: int, end: float) -> None:
        self.server, self.chance, self.kills, self.end = server, random.Random(seed), kills, end
        self.found, self.counts, self.at = Found(), Counter[str](), Counter[str]()
        self.seconds = dict.fromkeys(ENGINES, 0.0)  # of a run that is not killed

    @property
    def over(self) -> bool:
        """Whether the kills are done, or the time is."""
        return self.counts["kills"] >= self.kills or time.monotonic() > self.end

    def chain(self) -> None:
        """Kill a run until it is complete, and check it."""
        number = self.counts["runs"]
        self.counts["runs"] += 1
        chain, kills = Chain(self.server.world.folder / f"run{number}"), 0
        engine = "processes" if self.chance.random() < PROCESSES else "local"
        more = ("--jobs", "2") if engine == "processes" else ()
        arguments = self.server.world.arguments(chain.results, *more)
        records: dict[Path, dict[str, object]] = {}
        while True:
            left_alone = kills >= MOST or self.over
            start = time.monotonic()
            code, killed = (
                (self.server.run(chain, arguments), "") if left_alone else self.kill(chain, arguments, engine)
            )
            if not killed:
                if left_alone and not kills:
                    self.seconds[engine] = time.monotonic() - start
                break
            kills += 1
            self.counts["kills"] += 1
            self.counts[f"kills, {engine}"] += 1
            self.at[killed] += 1
            check_after_kill(chain, records, self.found)
        if code:
            self.found.add("exit", f"{code}: {chain.log.read_text()[-600:]}")
        repeated = check_complete(chain, self.server.reference, kills, 2 if more else 1, self.found)
        self.counts.update({f"{what} repeated": count for what, count in repeated.items()})
        if "Traceback" in chain.log.read_text():
            self.found.add("exit", f"a traceback in {chain.log}")
        elif not self.found.faults:
            shutil.rmtree(chain.folder)

    def kill(self, chain: Chain, arguments: list[str], engine: str) -> tuple[int, str]:
        """Start a run and kill it; return the exit code, and at what it was killed, empty if it was complete before."""
        if self.chance.random() < AT_A_WRITE:
            said = chain.folder / "said"
            said.unlink(missing_ok=True)
            code = self.server.run(chain, arguments, (self.chance.randint(1, WRITES), str(said)))
            return code, f"{said.read_text().split()[0]} of a write" if said.is_file() else ""
        signals = [signal.SIGTERM, signal.SIGINT]
        number = self.chance.choice(signals) if self.chance.random() < OTHER_SIGNALS else signal.SIGKILL
        process = self.server.start(chain, arguments)
        code = self.server.kill(process, self.chance.uniform(0.0, self.seconds[engine]), number)
        ends = {-number, 130} if number == signal.SIGINT else {-number}
        return code, f"{number.name} at a random moment" if code in ends else ""

    def report(self) -> str:
        """Return a table of what was done and found."""
        rows = [("kills", self.counts["kills"]), *((f"… {name}", count) for name, count in sorted(self.at.items()))]
        rows += [(f"… of runs with the engine {name}", self.counts[f"kills, {name}"]) for name in self.seconds]
        rows += [("runs that were completed", self.counts["runs"])]
        rows += [(f"{what} done again", self.counts[f"{what} repeated"]) for what in ("images", "steps")]
        names = {"lost": "records or classes lost", "torn": "files torn", "locks": "locks held", "orphans": "orphans"}
        names |= {"different": "results that differ", "leftovers": "temporary files left in results"}
        names |= {"repeated": "runs that repeated more than a shard and an epoch per kill", "exit": "other failures"}
        rows += [(f"**{names[kind]}**", self.found.count(kind)) for kind in FAULTS]
        return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {count:,} |" for name, count in rows)])


def main() -> None:
    """Read the arguments, kill, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="the most time for kills; the last run is completed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where runs lie, and stay if they show a fault; default: in memory")
    arguments = parser.parse_args()
    memory = Path("/dev/shm")  # a flush to disk takes most of the time of a small run
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="faults-", dir=memory if memory.is_dir() else None))
    start = time.monotonic()
    with Server(World.make(folder)) as server:
        campaign = Campaign(server, arguments.seed, arguments.kills, time.monotonic() + 60 * arguments.minutes)
        while not campaign.over:
            campaign.chain()
    print(campaign.report())
    print(f"\nseed {arguments.seed}, {(time.monotonic() - start) / 60:.1f} minutes")
    if campaign.found.faults:
        raise SystemExit(f"{len(campaign.found.faults)} faults; the runs lie in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
