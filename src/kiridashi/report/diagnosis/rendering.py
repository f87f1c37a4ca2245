"""Lay the report of a diagnosis out as HTML."""

from pathlib import Path

from kiridashi.data.atomic import write_text
from kiridashi.report.diagnosis import content
from kiridashi.report.page.messages import PACKAGE as PAGE
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out

PACKAGE = "kiridashi.report.diagnosis"


def write_report(path: str | Path, diagnosis: content.Diagnosis, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(diagnosis, language))


def render(diagnosis: content.Diagnosis, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        diagnosis: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.
    """
    say = messages(language)
    verdict, clean = diagnosis.verdict, diagnosis.clean
    told = [content.tell(one, diagnosis.rules, say) for one in verdict.findings]
    followed = [] if clean is None else [frame.found for frame in clean.followed]
    parted = verdict.parted
    return lay_out(
        PACKAGE,
        say,
        language,
        clip=diagnosis.clip,
        frames=0 if clean is None else len(clean.frames),
        main=told[0] if told else None,
        others=told[1:],
        found=f"{100 * sum(followed) / max(len(followed), 1):.0f}",
        counts=content.counts(diagnosis, say),
        has_truth=diagnosis.has_truth,
        tried=bool(verdict.weaknesses or verdict.stands or verdict.untried),
        weaknesses=[content.tell_weakness(one, say) for one in verdict.mildest],
        stands=say("comma").join(verdict.stands),
        untried=say("comma").join(verdict.untried),
        failed=diagnosis.failed,
        matrix_stages=content.matrix_stages(diagnosis, say),
        matrix=content.matrix(diagnosis, say),
        parted=say("parted_nowhere")
        if parted is None
        else say("parted_at", stage=content.stage_name(parted, say)),
        stage_rows=content.stage_rows(diagnosis, say),
        prompts=content.prompt_rows(diagnosis, say),
        plots=content.plots(diagnosis, say),
        sheets=content.sheets(diagnosis, say),
        rules=content.rule_rows(diagnosis, say),
        provenance=content.provenance(diagnosis, say),
    )


def messages(language: str = "en") -> Messages:
    """The texts of this report."""
    return Messages(language, PAGE, PACKAGE)
