import inspect
import json
import shutil
import signal
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import cnnlab
from cnnlab.errors import CheckpointError, DataError, InterruptedRunError, UnknownNameError, UsageError
from cnnlab.explain.live import LiveFlow
from cnnlab.recipes import get_recipe
from cnnlab.recipes import recipe as recipes
from cnnlab.recipes.recipe import Hardest, Plateau, RandomArea, Recipe, Resolution
from cnnlab.train.record import RunFolder, read_records
from cnnlab.train.run import Run, Settings, default_folder, require_the_same, resume_run, train_run, train_seeds
from cnnlab.train.watch import Moment, Watch
from cnnlab.types import PrecisionName
from tests.train.training import RECIPE

SHORT = replace(RECIPE, steps=2, batch_size=8)
SETTINGS = Settings(data="synthetic", device="cpu")


def test_a_run_folder_holds_all_that_the_design_names(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    names = {each.name.partition(".tfevents")[0] for each in run.folder.iterdir()}
    assert {
        "recipe.json", "settings.json", "environment.json", "data.json", "metrics.jsonl", "metrics.csv", "events.out",
        "checkpoints", "curves.png", "model.safetensors", "config.json", "result.json", "test_reads.jsonl",
    } <= names  # fmt: skip
    assert json.loads((run.folder / "result.json").read_text()) == run.result


def test_the_result_has_the_published_keys(tmp_path: Path) -> None:
    result = train_run(SHORT, SETTINGS, tmp_path / "run").result
    assert {
        "run", "recipe", "model", "parameters", "device", "seed", "steps", "epochs", "train_seconds",
        "images_per_second", "compile_seconds", "val", "test",
    } <= result.keys()  # fmt: skip
    assert result["compile_seconds"] == 0
    assert result["parameters"] == 269_722
    assert result["steps"] == 2
    assert 0 <= result["test"]["interval95"][0] <= result["test"]["top1"] <= result["test"]["interval95"][1] <= 1
    assert result["test"]["images"] == 500


def test_epochs_are_images_seen_over_images_there_are(tmp_path: Path) -> None:
    few = replace(SETTINGS, train_images=20)  # two full batches of 8 per pass: the other 4 are not seen
    result = train_run(replace(SHORT, steps=5), few, tmp_path / "run").result
    assert (result["steps"], result["images_seen"], result["images_trained"]) == (5, 40, 40)
    assert result["epochs"] == 40 / 20


def test_images_seen_and_images_trained_on_are_told_apart(tmp_path: Path) -> None:
    hardest = replace(SHORT, hardest=Hardest(model_options={"widths": (4, 4, 4)}))
    result = train_run(hardest, replace(SETTINGS, train_images=16), tmp_path / "run").result
    assert (result["images_seen"], result["images_trained"], result["epochs"]) == (16, 8, 1.0)
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "16 (1.00 epochs), trained on 8 of them" in text


def test_the_test_part_is_read_exactly_once_a_run_and_that_is_on_record(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    reads = (run.folder / "test_reads.jsonl").read_text().splitlines()
    assert len(reads) == 1
    assert json.loads(reads[0])["why"] == "end of training"


@pytest.mark.parametrize(("precision", "written"), [("native", "native"), ("bf16", "fp32"), ("fp32", "fp32")])
def test_a_run_is_validated_and_tested_in_the_format_that_its_config_names(
    precision: PrecisionName, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.models.precision.has_bf16", lambda device: True)
    run = train_run(replace(SHORT, precision=precision), SETTINGS, tmp_path / "run")
    classifier = cnnlab.load(run.folder, device="cpu")
    assert classifier.config.precision == written
    found = {}
    for format_name in ("native", "fp32"):
        asked = replace(classifier, config=replace(classifier.config, precision=format_name))
        parts = {
            split: cnnlab.evaluate(asked, "synthetic", split=split, protocol="center") for split in ("val", "test")
        }
        found[format_name] = {split: each.loss for split, each in parts.items()}
    assert found["native"] != found["fp32"], "in bfloat16 the losses are others"
    records = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    validated = [each["loss"] for each in records if each["split"] == "val"][-1]
    assert {"val": validated, "test": run.result["test"]["loss"]} == pytest.approx(found[written], rel=1e-6)


def test_final_trains_on_the_validation_images_too(tmp_path: Path) -> None:
    run = train_run(SHORT, replace(SETTINGS, final=True), tmp_path / "run")
    data = json.loads((run.folder / "data.json").read_text())
    assert (data["train_images"], data["val_images"]) == (2500, 0)
    assert "val" not in run.result


def test_several_seeds_give_mean_spread_and_interval(tmp_path: Path) -> None:
    summary = train_seeds(SHORT, SETTINGS, 2, tmp_path / "runs")
    values = [each["test"]["top1"] for each in summary["runs"]]
    assert summary["test"]["mean"] == pytest.approx(sum(values) / 2)
    assert summary["test"]["interval95"][0] <= summary["test"]["mean"] <= summary["test"]["interval95"][1]
    names = sorted(each.name for each in (tmp_path / "runs").iterdir())
    assert names == ["report.html", "result.json", "seed0", "seed1"]


def test_steps_that_are_read_later_make_the_same_run(tmp_path: Path) -> None:
    plain = train_run(SHORT, SETTINGS, tmp_path / "plain")
    begun = train_run(SHORT, replace(SETTINGS, graphs=True), tmp_path / "begun")
    weights = [(each.folder / "model.safetensors").read_bytes() for each in (plain, begun)]
    assert weights[0] == weights[1]
    assert begun.result["compile_seconds"] > 0
    assert begun.result["images_per_second"] > 0
    require_the_same(begun.folder, SHORT, SETTINGS)  # it may go on either way


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    train_run(SHORT, SETTINGS, tmp_path / "run")
    with pytest.raises(UsageError, match="finished already"):
        resume_run(tmp_path / "run")


def test_data_that_changed_since_the_run_began_is_refused(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    (run.folder / "result.json").unlink()
    data = json.loads((run.folder / "data.json").read_text())
    (run.folder / "data.json").write_text(json.dumps({**data, "sha256": "0" * 64}))
    with pytest.raises(DataError, match="has changed since it began"):
        resume_run(run.folder)


def test_a_misspelt_model_is_named_before_any_data_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="resnet20"):
        train_run(replace(SHORT, model="resnet2"), Settings(data="no such set"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_trained_run_is_loaded_and_tested_to_the_same_figure(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    classifier = cnnlab.load(run.folder, device="cpu")
    again = cnnlab.evaluate(classifier, "synthetic")
    assert again.top1 == run.result["test"]["top1"]
    assert len((run.folder / "test_reads.jsonl").read_text().splitlines()) == 2


def test_the_room_itself_trains(tmp_path: Path) -> None:
    run = cnnlab.train(SHORT, data="synthetic", run=tmp_path / "run", device="cpu")
    assert run.result["model"] == "resnet20"


def test_the_room_takes_what_a_run_can_be_told() -> None:
    takes = inspect.signature(type(cnnlab.train).__call__).parameters
    told = {each.name: each.default for each in fields(Settings)}
    assert {
        name: each.default for name, each in takes.items() if name not in ("self", "recipe", "run", "resume")
    } == told


def test_the_room_goes_on_with_a_run_that_was_stopped(tmp_path: Path) -> None:
    class StopAtOne(Watch):
        def stepped(self, moment: Moment) -> None:
            if moment.step == 1:
                signal.raise_signal(signal.SIGTERM)

    def go_on(folder: str, **more: Any) -> Run:
        return cnnlab.train(SHORT, data="synthetic", run=tmp_path / folder, device="cpu", resume=True, **more)

    alone = go_on("alone")
    with pytest.raises(InterruptedRunError):
        train_run(SHORT, SETTINGS, tmp_path / "stopped", watch=StopAtOne())
    with pytest.raises(UsageError, match="seed: 0 before, now 1"):
        go_on("stopped", seed=1)
    for run in (go_on("stopped", keep=3), go_on("stopped")):
        assert run.result["steps"] == 2
        assert run.result["test"]["loss"] == alone.result["test"]["loss"]
    with pytest.raises(UsageError, match="give run=FOLDER"):
        cnnlab.train(SHORT, data="synthetic", resume=True)


def test_another_length_stretches_the_recipe_and_leaves_its_numbers(tmp_path: Path) -> None:
    run = train_run(SHORT, replace(SETTINGS, epochs=3 / 250), tmp_path / "run")  # 2,000 images, batches of 8
    assert run.result["steps"] == 3
    assert json.loads((run.folder / "recipe.json").read_text())["steps"] == 2
    assert json.loads((run.folder / "settings.json").read_text())["epochs"] == 3 / 250


def test_class_weights_and_balanced_drawing_reach_the_training(shapes: Path, tmp_path: Path) -> None:
    few = replace(SHORT, folder_pixels=16, model="resnet20", average=None)
    losses = {}
    for name, more in (("plain", {}), ("weighted", {"class_weights": True}), ("balanced", {"balanced": True})):
        run = train_run(
            few, replace(SETTINGS, data=str(uneven(shapes, tmp_path / name)), **more), tmp_path / f"{name}-run"
        )
        losses[name] = [each["loss"] for each in read_records(run.folder) if each["split"] == "train"]
    assert losses["plain"] != losses["weighted"]
    assert losses["plain"] != losses["balanced"]


def uneven(shapes: Path, folder: Path) -> Path:
    """The photos, of one class only three."""
    copied = Path(shutil.copytree(shapes, folder))
    for photo in sorted((copied / "disc").iterdir())[3:]:
        photo.unlink()
    return copied


def test_a_plateau_without_validation_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--final leaves nothing to validate on"):
        train_run(replace(SHORT, schedule=Plateau()), replace(SETTINGS, final=True), tmp_path / "run")


def test_a_protocol_that_the_network_cannot_take_is_refused_before_training(shapes: Path, tmp_path: Path) -> None:
    recipe = replace(SHORT, model="lenet5", folder_pixels=32, protocol="320")
    with pytest.raises(UsageError, match="protocol 320 is impossible for LeNet5"):
        train_run(recipe, replace(SETTINGS, data=str(shapes)), tmp_path / "run")


def test_photos_on_disk_are_trained_on_and_tested(shapes: Path, tmp_path: Path) -> None:
    recipe = replace(
        get_recipe("modern/imagenet"),
        model="resnet20",
        batch_size=8,
        crop=RandomArea(pixels=16),
        test_resize_pixels=18,
        test_crop_pixels=16,
        protocol="10crop",
    )
    run = train_run(recipe, replace(SETTINGS, data=str(shapes), epochs=1), tmp_path / "run")
    assert (run.result["test"]["protocol"], run.result["test"]["views"]) == ("10crop", 10)
    assert cnnlab.load(run.folder, device="cpu").config.preprocess.crop_pixels == 16


def test_trainings_of_one_second_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cnnlab.train.run.time.strftime", lambda _: "20260102-030405")
    names = []
    for _ in range(3):
        folder = default_folder(get_recipe("resnet2015/cifar10"), 0)
        folder.mkdir(parents=True)
        names.append(folder.name)
    first = "resnet2015-cifar10-seed0-20260102-030405"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_default_folders_say_recipe_and_seed() -> None:
    recipe: Recipe = replace(SHORT, name="resnet2015/cifar10")
    assert default_folder(recipe, 3).name.startswith("resnet2015-cifar10-seed3-")


def test_a_rate_found_is_written_down_and_trains_as_if_it_had_been_given(tmp_path: Path) -> None:
    said: list[str] = []

    class Hearing(Watch):
        def said(self, message: str) -> None:
            said.append(message)

    recipe = replace(SHORT, model="lenet5_modern", average=None)
    found = train_run(recipe, replace(SETTINGS, auto_lr=True), tmp_path / "found", watch=Hearing())
    written = recipes.read(found.folder / "recipe.json")
    assert written.optimizer.lr != recipe.optimizer.lr
    assert any(f"learning rate: {written.optimizer.lr:.2g}, 10 times below" in each for each in said)
    given = train_run(written, SETTINGS, tmp_path / "given")
    weights = [(each.folder / "model.safetensors").read_bytes() for each in (found, given)]
    assert weights[0] == weights[1]


def test_on_a_cpu_the_batch_size_stays_the_recipes(tmp_path: Path) -> None:
    run = train_run(SHORT, replace(SETTINGS, auto_batch_size=True), tmp_path / "run")
    assert recipes.read(run.folder / "recipe.json").batch_size == SHORT.batch_size


def test_a_larger_batch_keeps_the_number_of_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(recipe: Recipe, fits: object, **_: object) -> tuple[Recipe, str]:
        return replace(recipe, batch_size=2 * recipe.batch_size), "twice"

    monkeypatch.setattr("cnnlab.train.run.with_largest_batch", doubled)
    run = train_run(replace(SHORT, steps=4), replace(SETTINGS, auto_batch_size=True), tmp_path / "run")
    assert run.result["steps"] == 2
    assert recipes.read(run.folder / "recipe.json").batch_size == 16


def test_a_watched_run_shows_its_flow(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run", watch_steps=LiveFlow)
    assert (run.folder / "flow.png").is_file()
    assert "Flow of gradients" in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unfreeze_at": 0.5}, "--unfreeze-at 0.5 .* add --freeze"),
        ({"layer_lr": 0.1}, "--layer-lr 0.1 .* --pretrained"),
    ],
)
def test_settings_that_need_another_say_which(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**given)


def test_a_patient_run_says_which_epoch_it_ends_with(tmp_path: Path) -> None:
    said: list[str] = []

    class Hearing(Watch):
        def said(self, message: str) -> None:
            said.append(message)

    recipe = replace(SHORT, batch_size=500, steps=12, resolutions=(Resolution(until=1.0, pixels=8),))
    run = train_run(recipe, replace(SETTINGS, patience=1), tmp_path / "run", watch=Hearing())
    errors = [1 - each["top1"] for each in read_records(run.folder) if each["split"] == "val"]
    best = errors.index(min(errors))
    assert run.result["best_epoch"] == best
    assert run.result["val"]["top1"] == pytest.approx(1 - errors[best])
    assert any(f"the weights are those of epoch {best + 1}, validation" in each for each in said)


def test_what_a_run_began_with_is_held_against_what_is_given_now(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    require_the_same(run.folder, SHORT, replace(SETTINGS, save_seconds=1.0))
    faster = replace(SHORT, optimizer=replace(SHORT.optimizer, lr=0.5))
    both = rf"optimizer.lr: {SHORT.optimizer.lr} before, now 0.5; seed: 0 before, now 1\. Give"
    with pytest.raises(UsageError, match=both):
        require_the_same(run.folder, faster, replace(SETTINGS, seed=1))


def test_the_same_command_may_be_repeated_until_a_run_is_done_and_after(tmp_path: Path) -> None:
    run = train_run(SHORT, SETTINGS, tmp_path / "run")
    assert resume_run(run.folder, "auto").result == run.result
    with pytest.raises(UsageError, match="is finished already"):
        resume_run(run.folder, "last")


def test_what_was_measured_is_told_though_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(Watch):
        def said(self, message: str) -> None:
            messages.append(message)

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    messages: list[str] = []
    monkeypatch.setattr("cnnlab.train.run.report_run", no_space)
    result = train_run(SHORT, SETTINGS, tmp_path / "page", watch=Told()).result
    assert 0 <= result["test"]["top1"] <= 1
    assert any("report.html could not be written: No space left on device; make it with" in each for each in messages)
    monkeypatch.setattr("cnnlab.evaluate.examine.record_test_read", no_space)
    notes = train_run(SHORT, SETTINGS, tmp_path / "reads", watch=Told()).result["test"]["notes"]
    assert "could not be recorded in" in notes[0]
    write = RunFolder.write_json

    def no_result(self: RunFolder, name: str, values: object) -> None:
        no_space() if name == "result.json" else write(self, name, values)

    monkeypatch.setattr(RunFolder, "write_json", no_result)
    with pytest.raises(CheckpointError, match=r"could not be written: .* what was measured: test accuracy \d+\.\d\d%"):
        train_run(SHORT, SETTINGS, tmp_path / "result", watch=Told())
