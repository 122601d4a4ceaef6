"""Make the executor of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zsadbench.engine.plan.engines import choose_engine

if TYPE_CHECKING:
    from zsadbench.engine.executors.executor import Executor
    from zsadbench.engine.plan.jobs import Plan
    from zsadbench.engine.units.unit import Event


def make_executor(plan: Plan, report: Callable[[Event], None]) -> Executor:
    """Return the executor of the engine that the request of a plan asks for.

    Args:
        plan: of the run.
        report: receives events while units run.

    Raises:
        UsageError: as `choose_engine`, or as `RayExecutor`.
    """
    engine = choose_engine(plan.request)
    if engine.name == "local":
        from zsadbench.engine.executors.local import LocalExecutor
        from zsadbench.engine.units.worker import Worker

        return LocalExecutor(Worker(plan, engine.devices[0], report, "objects"))
    if engine.name == "ray":
        from zsadbench.engine.executors.ray_executor import RayExecutor

        return RayExecutor(plan, engine.devices[0], report)
    from zsadbench.engine.executors.processes import ProcessExecutor

    return ProcessExecutor(plan, engine.devices, report)
