"""A report as ``check`` and ``wait`` print it: a line, a page, or JSON."""

from argparse import Namespace
from collections.abc import Iterable

from probe.cli.colours import paint
from probe.expectation import Assessment, assess
from probe.report import Report
from probe.verdict import State


def say_report(
    report: Report,
    options: Namespace,
    *,
    colourful: bool,
    notes: Iterable[str] = (),
) -> tuple[State, str]:
    """Hold a report against what is expected, and write it as the options want it.

    Args:
        report: Of one probe.
        options: ``json``, ``verbose`` and ``expectation`` of them.
        colourful: Whether the state is painted.
        notes: What a person is told besides, printable.

    Returns:
        What a monitor shows, and the text without its end.
    """
    assessment = assess(report, options.expectation)
    if options.json:
        return assessment.state, _to_json(report, assessment, transcript=options.verbose > 0)
    state, notes = assessment.state, (*notes, *assessment.reasons)
    if options.verbose:
        text = report.explain(whole=options.verbose > 1, state=state, notes=notes) + "\n"
    else:
        text = report.line(state=state, notes=notes)
    word = state.upper()
    return state, paint(word, state) + text.removeprefix(word) if colourful else text


def _to_json(report: Report, assessment: Assessment, *, transcript: bool) -> str:
    import json  # noqa: PLC0415 - start-up time that only --json needs

    judged = {"state": assessment.state}
    reasons = {"reasons": list(assessment.reasons)} if assessment.reasons else {}
    return json.dumps(report.to_dict(transcript=transcript) | judged | reasons)
