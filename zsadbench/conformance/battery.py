"""All checks in their order, and a run of them on one method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.conformance import cost, facts, independence, interface, memory, precision, saved, trained, transductive
from zsadbench.conformance.finding import Check, FaultError, Finding, NotApplicableError, NotDeclaredError, Result
from zsadbench.conformance.subject import Subject, subject_of
from zsadbench.errors import CellError, ZsadError, described

if TYPE_CHECKING:
    from zsadbench.types import MethodCard

MEND = "mend this exception of the method; 'zsadbench run' keeps the traceback in OUT/logs"
SCORES = ("build", "encode", "shapes")
NUMBERS = (*SCORES, "finite", "determinism")  # what numbers must be before they are compared
STEADY = (*NUMBERS, "state", "transductive")  # what a detector must be that is called several times
RANDOM = "draw random values in 'build' only; keep dropout inside 'network', or off while scoring"

CHECKS = (
    Check("card", facts.check_card, "correct these facts of the MethodCard"),
    Check("options", facts.check_options, "make 'options' a frozen dataclass without **kwargs"),
    Check("build", facts.check_build, "make the card and the detector agree: docs/contract.md, first table"),
    Check("encode", interface.check_encode, "compute every image by itself, batch first, in 'encode'", ("build",)),
    Check("shapes", interface.check_shapes, "return Scores(image (batch,), pixel (batch, grid, grid))", SCORES[:2]),
    Check("finite", interface.check_finite, "guard logarithms, roots and divisions by zero", SCORES),
    Check("values", interface.check_values, "return float32 scores that depend on the image", (*SCORES, "finite")),
    Check("determinism", independence.check_determinism, RANDOM, (*SCORES, "finite")),
    Check("state", independence.check_state, "keep nothing of an image between two calls of 'score'", NUMBERS),
    Check(
        "transductive",
        transductive.check_transductive,
        "forget test images, or declare the step: MethodCard.transductive",
        (*NUMBERS, "state"),
    ),
    Check("batch", independence.check_batch, "reduce over patches, never over the batch axis", STEADY),
    Check("order", independence.check_order, "let no score depend on the place in the batch", STEADY),
    Check("classes", independence.check_classes, "use class_names[i] for image i", (*STEADY, "batch")),
    Check("whole-class", transductive.check_whole_class, "make scores symmetric in the gathered images", ("build",)),
    Check("kinds", interface.check_kinds, "name only kinds in the card on which it scores", ("shapes", "finite")),
    Check("presets", interface.check_presets, "correct or remove this preset", ("shapes", "finite")),
    Check("text", interface.check_text, "compute all text features in 'encode_text'", NUMBERS),
    Check("stages", interface.check_stages, "return the stages 'score' and 'map', equal to 'score'", STEADY),
    Check("loss", trained.check_loss, "return a mapping of names to finite scalars with gradients", ("build",)),
    Check(
        "gradients", trained.check_gradients, "use every trained part in the loss, or freeze it; no detach()", ("loss",)
    ),
    Check("training", trained.check_training, "let the loss depend on the parameters of 'network'", ("loss",)),
    Check(
        "save-load",
        saved.check_save_load,
        "register what scoring needs as parameter or buffer of 'network'",
        (*STEADY, "loss"),
    ),
    Check("refusal", saved.check_refusal, "raise WeightsError for files that are not the method's", ("build",)),
    Check(
        "bf16",
        precision.check_bf16,
        "keep scores near those of single precision",
        (*NUMBERS, "values"),
    ),
    Check("cost", cost.check_cost, "correct 'macs': all matrix products of one image", SCORES),
    Check("few-shot", memory.check_few_shot, "replace the memory in 'remember'; use it in 'score'", STEADY),
    Check("support-order", memory.check_support_order, "", (*STEADY, "few-shot"), informative=True),
    Check("auxiliary", memory.check_auxiliary, "replace the memory, symmetric in the images", STEADY),
    Check("speed", cost.check_speed, "", SCORES, informative=True),
)


def check_method(card: MethodCard, options: Any = None) -> Iterator[Finding]:
    """Run all checks on a method, with its default options if None, on a very small random backbone.

    Raises:
        UsageError: its taps do not fit such a backbone.
    """
    yield from run_checks(subject_of(card, options))


def run_checks(subject: Subject) -> Iterator[Finding]:
    """Run all checks, in their order, and yield what each finds; none is run whose numbers could mean nothing."""
    causes: dict[str, str] = {}  # check that failed or was not run → the one that failed
    for check in CHECKS:
        cause = next((causes[name] for name in check.needs if name in causes), None)
        finding = _run(check, subject) if cause is None else Finding(check.name, "not judged", f"as '{cause}' failed")
        if finding.failed or cause is not None:
            causes[check.name] = cause or check.name
        yield finding


def _run(check: Check, subject: Subject) -> Finding:
    """Run one check; what the method raises is a fault, whatever it is."""
    passed: Result = "informative" if check.informative else "passed"
    try:
        with torch.random.fork_rng(devices=[]):
            return Finding(check.name, passed, check.run(subject))
    except NotApplicableError as reason:
        return Finding(check.name, "not applicable", str(reason))
    except NotDeclaredError as reason:
        return Finding(check.name, "not declared", str(reason))
    except FaultError as fault:
        found, remedy = str(fault), fault.remedy or check.remedy
    except CellError as failure:
        found, remedy = str(failure), check.remedy if failure.__cause__ is None else MEND
    except ZsadError as failure:
        found, remedy = str(failure), check.remedy
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # SystemExit too, which must not end the checks
        found, remedy = described(failure), MEND
    failed: Result = "informative" if check.informative else "failed"
    return Finding(check.name, failed, found, remedy)
