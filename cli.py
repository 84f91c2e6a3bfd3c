"""The `slr` command: each command parses, calls the library and prints. No logic lives here.

Heavy imports wait inside the commands, so that `slr --help` answers at once.
"""

import errno
import os
import shlex
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from poseprep.errors import InputError
from poseprep.options import Option, from_options, options, to_options
from poseprep.settings import (
    LANDMARKER_NAMES,
    REFERENCE_NAMES,
    ExtractOptions,
    ExtractSettings,
    ImportSettings,
    read_only_by,
)
from poseprep.version import toolkit_version
from sslmodel.config import (
    ENCODER_SIZES,
    OBJECTIVE_NAMES,
    PARTS,
    PretrainConfig,
    ProbeConfig,
    ViewConfig,
)
from sslmodel.variants import VARIANTS, rows_of

# Exit codes, beside 0 (done) and 1 (a bug).
EXIT_INPUT, EXIT_PROBLEMS, EXIT_COLLAPSE, EXIT_INTERRUPTED = 2, 3, 4, 130


# What is wrong with a place that a user named, not with the program.
_PLACES = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
}

# Options that only one landmarker reads stand together in the help.
BATCHED = read_only_by("batched")

# What a command leaves behind when it is stopped.
STOPPED = {
    "extract": "Whatever is done is kept beside OUT; run the same command again to continue.",
    "pretrain": "What is done is kept; the same command with --resume goes on.",
    "compare": "Runs that are done are kept; the same command goes on.",
    "demo": "What was finished stays in its folder; the same command starts anew.",
}


def say(text: str, **how: Any) -> None:
    """Print; names of files, which may hold anything, cannot garble or upset the terminal."""
    from poseprep.wording import printable

    click.secho(printable(text, keep="\n\t"), **how)


class _Mendable(click.ClickException):
    exit_code = EXIT_INPUT

    def show(self, file: Any = None) -> None:
        say(f"Error: {self.message}", err=True)


class SlrGroup(click.Group):
    """Turns what a user can mend into one clear message and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
        try:
            return super().invoke(context)
        except InputError as error:
            raise _Mendable(str(error)) from error
        except OSError as error:
            if error.errno not in _PLACES:
                raise
            where = f"{error.filename}: " if error.filename else ""
            raise _Mendable(
                f"{where}{error.strerror}; choose another place, or make room there"
            ) from error
        except KeyboardInterrupt:
            say("\nStopped. " + STOPPED.get(context.invoked_subcommand or "", ""), err=True)
            context.exit(EXIT_INTERRUPTED)
        finally:
            signal.signal(signal.SIGTERM, before)


@click.group(cls=SlrGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(toolkit_version(), prog_name="slr")
def main() -> None:
    """Sign-language videos to keypoints, and to representations learned without labels.

    \b
    slr extract videos/ out.h5    hand, face and body keypoints of every video
    slr pretrain out.h5           an encoder, without labels
    slr probe                     how good it is: linear evaluation
    """


class _Several(click.ParamType):
    """Values with commas between, such as 0.1,0.3,1."""

    def __init__(self, one: type):
        self.one, self.name = one, f"{one.__name__},…"

    def convert(self, value: Any, parameter: Any, context: Any) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self.one(part) for part in value.split(",") if part.strip())
        except ValueError:
            found = ()
        return found or self.fail(f"expected values with commas between, found {value!r}")


def _option_type(option: Option) -> Any:
    if option.several:
        return _Several(option.type)
    return click.Choice(option.choices) if option.choices else option.type


def _shown_default(option: Option) -> bool | str:
    if option.several:
        return ",".join(f"{value:g}" for value in option.default)
    return option.default not in (None, "", False)


def config_options(
    config: type, but: tuple[str, ...] = (), only: tuple[str, ...] = ()
) -> Callable[[Any], Any]:
    """One option for every field of a config, but some or only some; defaults live there."""
    chosen = [o for o in options(config) if o.name not in but and (not only or o.name in only)]

    def decorate(command: Any) -> Any:
        for option in reversed(chosen):
            command = click.option(
                f"{option.flag}/--no-{option.flag[2:]}" if option.default is True else option.flag,
                option.name,
                type=_option_type(option),
                is_flag=option.type is bool,
                default=option.default,
                metavar=option.metavar,
                show_default=_shown_default(option),
                help=option.help,
            )(command)
        return command

    return decorate


def run_command(context: click.Context, command: click.Command, *words: str | Path) -> None:
    """Print a command and run it, so that a reader of the demo learns it."""
    arguments = [str(word) for word in words]
    say(f"\n$ slr {command.name} {shlex.join(arguments)}", bold=True)
    with command.make_context(command.name, list(arguments), parent=context) as inner:
        command.invoke(inner)


@main.command()
@click.argument("videos", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="CSV: clip, sign, signer, split; start and end (seconds) cut clips from videos.",
)
@config_options(ExtractSettings, but=BATCHED)
@config_options(ExtractOptions, but=BATCHED)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@config_options(ExtractSettings, only=BATCHED)
@config_options(ExtractOptions, only=BATCHED)
@click.pass_context
def extract(
    context: click.Context,
    videos: Path,
    out: Path,
    labels: Path | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Extract keypoints from VIDEOS (a folder or a file) to the store OUT (such as out.h5).

    A clip's key is its path below VIDEOS. Its sign is the folder it lies in, unless --labels
    gives a table. A folder of images (clip/0001.png, …) counts as a video; give its --fps.

    The same command continues what was stopped or killed, and brings a finished store up to date:
    only new and changed videos are read. What cannot be read is listed with the reason.
    """
    from poseprep.extract import Extraction
    from poseprep.text import extraction_plan, extraction_summary

    settings = from_options(ExtractSettings, chosen)
    options = from_options(ExtractOptions, chosen)
    with Extraction(videos, out, labels, settings, options) as extraction:
        frames = extraction.expected_frames()
        say(extraction_plan(extraction, frames))
        summary = extraction.run(not quiet, frames)
    say(extraction_summary(summary, out))
    if summary.problems:
        context.exit(EXIT_PROBLEMS)


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@config_options(ImportSettings)
@click.option("--overwrite", is_flag=True, help="Make OUT anew where it is already there.")
@click.pass_context
def import_(context: click.Context, file: Path, out: Path, overwrite: bool, **chosen: Any) -> None:
    """Make the store OUT (.h5) of existing keypoint arrays, FILE (.npz).

    FILE holds points (clips, frames, points, 2 or 3) and sign (clips); where there are any also
    signer, split, key, length, confidence. A hand that is all zero in a frame is missing.
    """
    from poseprep.arrays import import_arrays
    from poseprep.text import imported_summary

    settings = from_options(ImportSettings, chosen)
    found = import_arrays(file, out, settings, overwrite)
    say(imported_summary(found, out))
    if found.empty == found.clips:
        context.exit(EXIT_PROBLEMS)


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--clips", is_flag=True, help="List the clips, one a line.")
def info(store: Path, clips: bool) -> None:
    """Describe STORE: what it holds, how well each part was seen, what went wrong."""
    from poseprep.store import KeypointStore
    from poseprep.text import clip_lines, store_description

    with KeypointStore(store) as opened:
        say(clip_lines(opened) if clips else store_description(opened))


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("table", type=click.Path(path_type=Path))
def label(store: Path, table: Path) -> None:
    """Give the clips of STORE the labels of TABLE (a CSV: clip, sign, signer, split).

    They replace those that the store has. Nothing is extracted again, and runs that learned from
    the store still know it.
    """
    from poseprep.labels import find_clip_labels
    from poseprep.store import KeypointStore
    from poseprep.store_relabel import relabel
    from poseprep.text import labels_remarks

    with KeypointStore(store) as opened:
        labels = find_clip_labels(opened.keys, table)
    relabel(store, labels.of)
    for remark in labels_remarks(labels):
        say(remark)
    say(f"{store}: {len(labels.of) - len(labels.videos_without_row)} clips labelled from {table}")


@main.command()
@click.argument("stores", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Make OUT anew where it is already there.")
def merge(stores: tuple[Path, ...], out: Path, overwrite: bool) -> None:
    """Join STORES of equal settings, such as the shards of a corpus, to the store OUT."""
    from poseprep.merge import merge as join
    from poseprep.text import merged_summary

    say(merged_summary(join(stores, out, overwrite), out))


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.pass_context
def verify(context: click.Context, store: Path) -> None:
    """Check STORE: its structure, its checksums, and what a store promises."""
    from poseprep.extract import default_workers
    from poseprep.verify import verify as check

    findings = check(store, default_workers())
    say("\n".join(findings) or f"{store}: all is well")
    if findings:
        context.exit(EXIT_INPUT)


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("key")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default="sheet.png", show_default=True
)
@click.option("--videos", type=click.Path(path_type=Path), help="Where the videos are now.")
@click.option("--no-video", is_flag=True, help="Draw the skeleton alone.")
@click.option("--tiles", type=click.IntRange(1, 200), default=12, show_default=True, help="Frames.")
def show(store: Path, key: str, out: Path, videos: Path | None, no_video: bool, tiles: int) -> None:
    """Draw the clip KEY of STORE as a contact sheet, the skeleton over the video."""
    from poseprep.overlay import contact_sheet, locate_video, write_image
    from poseprep.store import KeypointStore

    with KeypointStore(store) as opened:
        clip = opened.clip(key)
        video = None if no_video else locate_video(clip, videos or opened.videos_folder())
    write_image(out, contact_sheet(clip, video, tiles))
    say(f"{out}: {key}, {len(clip.time)} frames")


def _is_one_of_others() -> bool:
    """Whether this process computes beside the first one; by Fabric, torchrun or Slurm."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return any(os.environ.get(name, "0").strip() not in ("", "0") for name in names)


def size_option(help: str) -> Callable[[Any], Any]:
    """`--size` of the encoder."""
    sizes = click.Choice(tuple(ENCODER_SIZES))
    return click.option("--size", type=sizes, default="base", show_default=True, help=help)


def given(context: click.Context, chosen: dict[str, Any]) -> dict[str, Any]:
    """The options that the user typed."""
    default = click.core.ParameterSource.DEFAULT
    return {n: v for n, v in chosen.items() if context.get_parameter_source(n) is not default}


def training_config(context: click.Context, size: str, chosen: dict[str, Any]) -> PretrainConfig:
    """The config of an encoder of this size, with all that the user typed."""
    start = replace(from_options(PretrainConfig, chosen), encoder=ENCODER_SIZES[size])
    return from_options(PretrainConfig, {**to_options(start), **given(context, chosen)})


@main.command("show-views")
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("clip")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default="views.png", show_default=True
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@config_options(ViewConfig)
def show_views(store: Path, clip: str, out: Path, seed: int, **chosen: Any) -> None:
    """Draw what augmentation does to the clip CLIP (a key) of STORE: views, and each step alone."""
    from sslmodel.show_views import show_views as draw

    shown = draw(store, clip, out, from_options(ViewConfig, chosen), seed)
    say(f"{out}: {clip}, {len(shown.titles)} rows")


@main.command()
@click.argument("stores", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder.  [default: runs/…]")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the run in --out, by default the newest unfinished one under runs/.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@size_option("Of the encoder; --encoder-… changes single numbers of it.")
@config_options(PretrainConfig)
@click.pass_context
def pretrain(
    context: click.Context,
    stores: tuple[Path, ...],
    out: Path | None,
    resume: bool,
    quiet: bool,
    size: str,
    **chosen: Any,
) -> None:
    """Train an encoder on STORES (.h5) without their labels, and write a run folder.

    Only the train part is learned from; who that is follows the stores' splits, or their
    signers, and is written into the run for `slr probe`. A run that was stopped or killed goes on
    from its last checkpoint with --resume; its stores and settings are known.
    """
    from sslmodel.pretrain import pretrain as train
    from sslmodel.runs import find_unfinished_run, new_run_folder, read_unfinished
    from sslmodel.text import pretraining_summary

    if resume:
        out = out or find_unfinished_run(Path("runs"))
        begun, its_stores = read_unfinished(out)
        typed = given(context, {"size": size, **chosen})
        if "size" in typed:
            begun = replace(begun, encoder=ENCODER_SIZES[size])
        config = from_options(PretrainConfig, {**to_options(begun), **given(context, chosen)})
        stores = stores or its_stores
    else:
        config = training_config(context, size, chosen)
    if not stores:
        raise InputError("expected at least one store (a path ending in .h5), found none")
    out = out or new_run_folder(Path("runs"), f"{stores[0].stem}-{config.objective}")
    # Of several processes the first speaks; errors are the same in all.
    silent = config.devices * config.nodes > 1 and _is_one_of_others()
    tell = (lambda text: None) if silent else say
    try:
        run = train(config, stores, out, progress=not quiet and not silent, resume=resume, say=tell)
    except InputError:
        if silent:
            context.exit(EXIT_INPUT)
        raise
    tell(pretraining_summary(run))
    if run.collapsed:
        context.exit(EXIT_COLLAPSE)


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@config_options(ProbeConfig)
@click.option("--quiet", is_flag=True, help="Say nothing while it works.")
@click.pass_context
def probe(context: click.Context, paths: tuple[Path, ...], quiet: bool, **chosen: Any) -> None:
    """Score runs: linear evaluation, kNN, few labels, retrieval, each beside its baselines.

    PATHS: a folder is a run, a file ending in .h5 a store. Without a run it is the newest one
    under runs/, without a store the one that the run learned from. Several of them are probed each
    with each, and give the table of transfer: pretrained on × probed on.
    """
    from sslmodel.runs import runs_and_stores
    from sslmodel.text import score_table, transfer_table
    from sslmodel.transfer import NotProbed, probe_all

    runs, stores = runs_and_stores(paths, Path("runs"))
    results = []
    for result in probe_all(runs, stores, from_options(ProbeConfig, chosen), not quiet):
        results.append(result)
        say(f"{result.run} on {result.store}")
        if isinstance(result, NotProbed):
            say(f"Error: {result.why}\n", err=True)
        else:
            say(score_table(result) + "\n")
    if len(results) > 1:
        say(transfer_table(results))
    if any(isinstance(result, NotProbed) for result in results):
        context.exit(EXIT_PROBLEMS)


@main.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The page.  [default: RUN/report.html]"
)
@click.option("--store", type=click.Path(path_type=Path), help="Where RUN's store lies now.")
@click.option("--quiet", is_flag=True, help="Say nothing while it works.")
def report(run: Path | None, out: Path | None, store: Path | None, quiet: bool) -> None:
    """Write one page (HTML) about RUN: training, scores, confused signs, maps, moving clips.

    RUN is by default the newest one under runs/; it is probed first where that was not done. The
    page holds all it shows: it needs no network, and can be sent and printed.
    """
    from poseprep.wording import size
    from sslmodel.report import write_report
    from sslmodel.runs import find_newest_run

    written = write_report(run or find_newest_run(Path("runs")), out, store, not quiet)
    for note in written.notes:
        say(note)
    say(f"{written.path}: {size(written.size)}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
def results(folder: Path) -> None:
    """List the scores of the runs in FOLDER, as its results.csv has them.  [default: runs]"""
    from sslmodel.results import RESULTS, read_results
    from sslmodel.text import results_table

    say(results_table(read_results(folder / RESULTS if folder.is_dir() else folder)))


@main.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--objectives",
    type=_Several(str),
    default=OBJECTIVE_NAMES,
    show_default=",".join(OBJECTIVE_NAMES),
    help="Which, with commas between; simclr:5 has five seeds.",
)
@click.option(
    "--variants",
    type=_Several(str),
    default=(),
    help="Changes of the default, likewise; all, all:2, all,no-crop:0 (but that), or some of: "
    + ", ".join(VARIANTS),
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: compare/STORE]")
@click.option("--part", type=click.Choice(PARTS), default="test", help="val is for choosing.")
@click.option("--phonology", default="", help="CSV of the signs' parameters; as for `slr probe`.")
@click.option("--allow-signer-leak", is_flag=True, help="Score a split that leaks, and say so.")
@click.option("--supervised", is_flag=True, help="Trained from scratch on the same labels beside.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@size_option("Of the encoder; --encoder-… changes single numbers of it.")
@config_options(PretrainConfig, but=("objective", "seed", "devices", "nodes", "stop_on_collapse"))
@click.pass_context
def compare(
    context: click.Context,
    store: Path,
    objectives: tuple[str, ...],
    variants: tuple[str, ...],
    seeds: int,
    out: Path | None,
    part: str,
    phonology: str,
    allow_signer_leak: bool,
    supervised: bool,
    quiet: bool,
    size: str,
    **chosen: Any,
) -> None:
    """Train and probe objectives and variants on STORE alike, and write the table and a plot.

    The same command continues what was stopped. What collapses is scored and named.
    """
    from sslmodel.compare import Comparison
    from sslmodel.compare import compare as run_all
    from sslmodel.text import comparison_tables, trial_line

    config = training_config(context, size, chosen)
    out = out or Path("compare") / store.stem
    asked = ProbeConfig(
        part=part,
        phonology=phonology,
        allow_signer_leak=allow_signer_leak,
        supervised=supervised,
    )
    if (
        variants
        and context.get_parameter_source("objectives") is click.core.ParameterSource.DEFAULT
    ):
        objectives = (config.objective,)
    rows = rows_of(config, (*objectives, *variants), seeds)
    for done in run_all(store, rows, out, asked, not quiet, say):
        say(comparison_tables(done) if isinstance(done, Comparison) else trial_line(done))
    say(f"\nWritten to {out}: comparison.md, comparison.json, comparison.png")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--clip", required=True, help="A key of STORE, or a video file.")
@click.option("--count", type=click.IntRange(1, 100), default=10, show_default=True, help="Signs.")
@click.option("--other-signers", is_flag=True, help="Leave out clips of the same signer.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="The .task bundle of STORE's networks, if it was made with one; for a video.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default="search.png", show_default=True
)
def search(
    run: Path,
    store: Path,
    clip: str,
    count: int,
    other_signers: bool,
    model: Path | None,
    out: Path,
) -> None:
    """Look up a sign: the signs of STORE that are nearest to a clip or video, with pictures."""
    from sslmodel.search import draw_matches
    from sslmodel.search import search as look_up
    from sslmodel.text import matches_table

    found = look_up(run, store, clip, count, other_signers, model)
    say(matches_table(found))
    draw_matches(found, store, out)
    say(f"{out}: the skeletons of these clips")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Make OUT anew where it is already there.")
def embed(run: Path, store: Path, out: Path, overwrite: bool) -> None:
    """Write the embeddings of STORE's clips by RUN's encoder to OUT (.h5 or .npz), with keys."""
    from sslmodel.embed import embed as write
    from sslmodel.text import embedded_summary

    say(embedded_summary(write(run, store, out, overwrite)))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Make OUT anew where it is already there.")
def export(run: Path, out: Path, overwrite: bool) -> None:
    """Write RUN's encoder to OUT (.onnx), for programs without PyTorch (docs/export.md)."""
    from sslmodel.export import export as write

    made = write(run, out, overwrite)
    say(
        f"{out}: points (B, {made.frames}, {made.points}, 2) and seen (B, {made.frames}, "
        f"{made.points}) -> embedding (B, {made.features})\n"
        f"ONNX Runtime and PyTorch differ by at most {made.difference:.1e}"
    )


@main.group()
def bench() -> None:
    """Measure this toolkit on this machine, beside a reference in the same run."""


@bench.command("extract")
@click.argument("videos", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core]")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--landmarker",
    "landmarkers",
    type=click.Choice(LANDMARKER_NAMES),
    multiple=True,
    default=LANDMARKER_NAMES,
    show_default=True,
    help="May be given again.",
)
@config_options(ExtractSettings, only=("precision",))
@config_options(ExtractOptions, only=("device", "compile"))
def bench_extract(
    videos: Path,
    workers: int | None,
    rounds: int,
    landmarkers: tuple[str, ...],
    **chosen: Any,
) -> None:
    """Extraction of VIDEOS beside plain MediaPipe loops: speed, CPU, memory, bytes.

    `speed` compares frames a second with the plain loop of the same mode, `× video` with that of
    video mode, `a core` CPU time.
    """
    from poseprep import bench
    from poseprep.extract import default_workers
    from poseprep.tables import bench_table

    settings = from_options(ExtractSettings, {**chosen, "landmarker": "batched"})
    options, workers = from_options(ExtractOptions, chosen), workers or default_workers()
    measured = bench.bench_extract(videos, workers, rounds, say, landmarkers, settings, options)
    say("\n" + bench_table(measured))


@bench.command("parity")
@click.argument("videos", type=click.Path(path_type=Path))
@click.option(
    "--landmarker",
    type=click.Choice(LANDMARKER_NAMES),
    default="batched",
    show_default=True,
    help="What is compared with MediaPipe.",
)
@click.option(
    "--reference",
    type=click.Choice(REFERENCE_NAMES),
    help="MediaPipe with every frame alone, its static mode as it is, its video mode, or that "
    "without smoothing.  "
    "[default: as the landmarker does]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write all figures there, too (JSON).")
@config_options(ExtractSettings, only=("face", "track", "smooth", "precision", "model", "fps"))
@config_options(ExtractOptions, only=("device", "batch", "compile", "workers"))
@click.pass_context
def parity_command(
    context: click.Context,
    videos: Path,
    landmarker: str,
    reference: str | None,
    out: Path | None,
    **chosen: Any,
) -> None:
    """How far a landmarker's points on VIDEOS are from MediaPipe's; hands get no second look.

    The exit code is 0 where all parts keep the limits, which the last lines tell, and all videos
    could be read, else 3.
    """
    from poseprep import bench_parity
    from poseprep.extract import default_workers
    from poseprep.place import check_report_place
    from poseprep.tables import parity_table

    settings = from_options(ExtractSettings, {**chosen, "landmarker": landmarker, "recover": False})
    options = from_options(ExtractOptions, chosen)
    workers = options.workers or default_workers()
    if out:
        check_report_place(out)
    parity = bench_parity.bench_parity(videos, settings, options, workers, reference, say)
    say("\n" + parity_table(parity))
    if out:
        bench_parity.write_report(out, parity)
    if not parity.met or parity.problems:
        context.exit(EXIT_PROBLEMS)


@bench.command("networks")
@click.argument("videos", type=click.Path(path_type=Path))
@click.option(
    "--frames",
    type=click.IntRange(1, 2000),
    default=128,
    show_default=True,
    help="At most so many.",
)
@config_options(ExtractSettings, only=("track", "precision"))
@config_options(ExtractOptions, only=("device", "batch", "compile"))
def bench_networks(videos: Path, frames: int, **chosen: Any) -> None:
    """Where the batched landmarker's time goes for a frame of VIDEOS, beside the machine's peak.

    Decoding, transfer, each of the networks and the geometry between them, in one process.
    """
    from poseprep import bench_networks

    say(bench_networks.table(bench_networks.bench_networks(videos, frames, **chosen)))


@bench.command("accuracy")
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
def bench_accuracy(store: Path, truth: Path) -> None:
    """How far the keypoints of STORE are from TRUTH, the store of what was drawn.

    `slr demo` draws videos, and writes their truth.h5 beside them.
    """
    from poseprep.signer.accuracy import accuracy
    from poseprep.store import KeypointStore
    from poseprep.tables import accuracy_table

    with KeypointStore(store) as measured, KeypointStore(truth) as drawn:
        rows = accuracy(measured, drawn)
        lacking = len(set(drawn.keys) - set(measured.keys))
        if lacking:
            say(
                f"{lacking} of the {len(drawn.keys)} clips of {truth} are not in {store}: not found"
            )
        say(accuracy_table(rows))


@bench.command("train")
@click.option("--points", type=click.Choice(("hand", "signing")), default="hand", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of a CPU.  [default: all cores]")
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="Of each way, a round.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@size_option("Of the encoder.")
@config_options(PretrainConfig, only=("batch", "objective", "accelerator"))
@click.pass_context
def bench_train(
    context: click.Context,
    points: str,
    threads: int | None,
    seconds: float,
    rounds: int,
    size: str,
    **chosen: Any,
) -> None:
    """Training's speed on random keypoints, beside a plain ST-GCN and torch-geometric's GCN."""
    from poseprep.extract import default_workers
    from sslmodel.bench_train import bench_table
    from sslmodel.bench_train import bench_train as measure

    config = training_config(context, size, chosen)
    threads = threads or default_workers()
    say(f"{threads} threads, batch {config.batch}, {points} points, {size}\n")
    say("\n" + bench_table(measure(config, points, threads, seconds, rounds, say)))


@bench.command("probe")
@click.option("--clips", type=click.IntRange(100), default=20_000, show_default=True)
@click.option("--features", type=click.IntRange(2), default=512, show_default=True)
@click.option("--signs", type=click.IntRange(2), default=2_000, show_default=True)
@click.option("--fractions", type=_Several(float), default=(0.01, 0.1, 0.3, 1.0))
@click.option("--draws", type=click.IntRange(1), default=3, show_default=True)
def bench_probe(
    clips: int, features: int, signs: int, fractions: tuple[float, ...], draws: int
) -> None:
    """Linear evaluation of made-up features, as a large corpus gives: time and memory."""
    from sslmodel.bench_probe import bench_probe as measure

    say("labels  labelled clips  draws  seconds  peak GiB  top-1 %")
    rows = measure(clips, features, signs, fractions, draws, say)
    say(f"all: {sum(int(row[3]) for row in rows)} s")


@bench.command("recover")
@click.option("--signers", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0),
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="Of the drawn clips; may be given again. The thresholds were chosen on seed 0.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core]")
def bench_recover(signers: int, seeds: tuple[int, ...], workers: int | None) -> None:
    """How many lost hands come back on drawn clips, and how far off they are."""
    from poseprep.extract import default_workers
    from poseprep.signer.recovery import measure_recovery
    from poseprep.tables import recovery_table

    say(recovery_table(measure_recovery(signers, seeds, workers or default_workers())))


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option(
    "--signs",
    type=click.IntRange(2),
    default=12,
    show_default=True,
    help="Signs, in a fixed order; a score needs two.",
)
@click.option(
    "--signers",
    type=click.IntRange(3),
    default=8,
    show_default=True,
    help="Signers; a score needs three: for train, val and test.",
)
@click.option("--reps", default=1, show_default=True, help="Repetitions of a sign by a signer.")
@click.option("--seed", default=0, show_default=True, help="Seed of the signers and their signing.")
@click.option("--epochs", type=click.IntRange(1), help="Of training.  [default: as slr pretrain]")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core]")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@click.pass_context
def demo(
    context: click.Context,
    out: Path,
    signs: int,
    signers: int,
    reps: int,
    seed: int,
    epochs: int | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Draw a corpus of sign videos, and run the whole pipeline on it.

    The drawn signer's joints are known, so that the keypoints are measured against the truth.
    """
    from poseprep.extract import default_workers
    from poseprep.signer.accuracy import accuracy
    from poseprep.signer.corpus import Corpus, render_corpus
    from poseprep.store import KeypointStore
    from poseprep.tables import accuracy_table
    from sslmodel.runs import new_run_folder

    corpus = Corpus(signs=signs, signers=signers, reps=reps, seed=seed)
    store, workers = out / "keypoints.h5", workers or default_workers()
    say(f"Drawing {len(corpus.takes())} videos to {out / 'videos'}")
    keys = render_corpus(out, corpus, workers=workers, progress=not quiet)
    flags = ["--quiet"] if quiet else []
    run_command(
        context,
        extract,
        out / "videos",
        store,
        "--labels",
        out / "labels.csv",
        "--workers",
        str(workers),
        "--overwrite",
        *flags,
    )
    with KeypointStore(store) as measured, KeypointStore(out / "truth.h5") as truth:
        say("\n" + accuracy_table(accuracy(measured, truth)))
    run_command(context, show, store, keys[len(keys) // 2], "-o", out / "sheet.png")
    run = new_run_folder(out / "runs", "run")
    training = ["--epochs", str(epochs)] if epochs else []
    run_command(context, pretrain, store, "--out", run, *training, *flags)
    run_command(context, probe, run, "--phonology", out / "signs.csv")
    say(f"\nPictures: {out}/sheet.png, {run}/curve.png, {run}/probe/confusion.png")
    say("With your own videos: slr extract VIDEOS out.h5; slr pretrain out.h5; slr probe")


if __name__ == "__main__":
    main()
