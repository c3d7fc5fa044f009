"""Which parts of an earlier job a retry may use: those by its own recipe, of which every byte is there."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from services.fetcher.inherit import Inherit
from services.fetcher.plan.recipe import recipe_of
from shared.addresses import AddressPolicy
from shared.encryption.objects import size_in_bucket
from shared.encryption.protection import Protection
from shared.listing import Listed
from shared.locations import S3Location
from shared.media.plan import Plan
from shared.s3_clients import S3Clients
from shared.workspace.folder import WorkFolder
from shared.workspace.inheritance import RECORD
from shared.workspace.shared_folder import SharedFolder
from shared.workspace.uploaded import UPLOADED, note_uploaded, read_uploaded, write_uploaded
from tests.support.encoded import leave_part, make_fetched, make_plan, make_record, still_body
from tests.support.encrypted import protection

ORG, OLD, NEW = "org001", "5KQfnXCg8Qh", "5KQfnXCg8Qj"
RECIPE = "5" * 64
PART = "v0000"


class Shelf(Inherit):
    """With a bucket that the test fills."""

    def __init__(self, space: SharedFolder, bucket: dict[str, Listed]) -> None:
        super().__init__(space, S3Clients(AddressPolicy.parse("")))
        self._bucket = bucket

    async def _listed(self, output: S3Location, paths: Iterable[str]) -> dict[str, Listed]:
        return self._bucket if list(paths) else {}


@pytest.fixture
def space(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path.as_uri())


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(languages=("en",), texts=("en",), stills=True)


def leave(space: WorkFolder, plan: Plan, *, recipe: str = RECIPE) -> Path:
    """A job that ends with one finished part; returns the part's folder."""
    leave_part(space, ORG, OLD, plan, PART, recipe=recipe)
    return space.part(ORG, OLD, PART)


def upload(space: WorkFolder, plan: Plan) -> dict[str, Listed]:
    """Bring the part to the bucket, as the uploader does, and return what lies there."""
    record, bucket = make_record(plan, PART), {}
    for number, (path, size) in enumerate(record.objects.items()):
        space.note_uploaded(ORG, OLD, PART, path, f"tag{number}")
        bucket[path] = Listed(size, f"tag{number}")
    for still in record.stills:
        if still.kind == "tile":
            space.keep_tile(ORG, OLD, still.number, still_body("tile", still.number))
    space.empty_part(ORG, OLD, PART)
    return bucket


async def offered(
    space: WorkFolder,
    plan: Plan,
    bucket: dict[str, Listed],
    *,
    recipe: str = RECIPE,
    protection: Protection | None = None,
) -> Path | None:
    """Run the job again; returns the folder of the part that is offered."""
    space.take_over(ORG, OLD, NEW)
    fetched = make_fetched(ORG, NEW, plan, protection).model_copy(update={"recipe": recipe})
    shared = SharedFolder(space.root.as_uri())
    parts = await shared.inherited(ORG, NEW)
    await Shelf(shared, bucket)(fetched, parts or [], S3Location(bucket="b", key="k"))
    assert await shared.inherited(ORG, NEW) is None, "what is not offered is gone"
    folder = space.job(ORG, NEW) / "offered" / PART
    return folder if folder.exists() else None


async def test_a_part_whose_files_are_there(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    folder = await offered(space, plan, {})
    assert folder and read_uploaded(folder) == {}


@pytest.mark.parametrize(("made_by", "wanted"), [("4" * 64, RECIPE), ("", RECIPE), ("", ""), (RECIPE, "")])
async def test_only_by_the_same_recipe(space: WorkFolder, plan: Plan, made_by: str, wanted: str) -> None:
    leave(space, plan, recipe=made_by)
    assert await offered(space, plan, {}, recipe=wanted) is None


async def test_a_part_of_another_plan_is_none(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    space.part(ORG, OLD, PART).rename(space.part(ORG, OLD, "v0999"))
    assert await offered(space, plan, {}) is None
    assert not (space.job(ORG, NEW) / "offered").exists()


async def test_a_part_that_is_in_the_bucket(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    bucket = upload(space, plan)
    folder = await offered(space, plan, bucket)
    assert folder and read_uploaded(folder).keys() == bucket.keys(), "the uploader leaves out all of it"
    tiles = [still for still in make_record(plan, PART).stills if still.kind == "tile"]
    assert tiles and all((folder / tile.path).stat().st_size == tile.size for tile in tiles)


async def test_segments_that_are_encrypted_as_a_whole_are_longer_in_the_bucket(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    whole = protection("aes-128")
    bucket = {path: Listed(size_in_bucket(path, one.size, whole), one.tag) for path, one in upload(space, plan).items()}
    folder = await offered(space, plan, bucket, protection=whole)
    assert folder and read_uploaded(folder).keys() == bucket.keys()


@pytest.mark.parametrize("wrong", [None, Listed(1, "tag0"), "another tag", "no tag"])
async def test_a_part_of_which_one_object_is_not_what_it_was(
    space: WorkFolder, plan: Plan, wrong: Listed | str | None
) -> None:
    leave(space, plan)
    bucket = upload(space, plan)
    path = next(iter(bucket))
    if wrong is None:
        del bucket[path]
    elif isinstance(wrong, Listed):
        bucket[path] = wrong
    else:
        bucket[path] = Listed(bucket[path].size, "another" if wrong == "another tag" else "")
    assert await offered(space, plan, bucket) is None


async def test_storages_without_entity_tags_prove_nothing(space: WorkFolder, plan: Plan) -> None:
    folder = leave(space, plan)
    bucket = {path: Listed(one.size, "") for path, one in upload(space, plan).items()}
    write_uploaded(folder, dict.fromkeys(bucket, ""))
    assert await offered(space, plan, bucket) is None


async def test_what_is_in_the_bucket_no_more_is_uploaded_from_its_file(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    first, second, *_ = make_record(plan, PART).objects.items()
    for path, _ in (first, second):
        space.note_uploaded(ORG, OLD, PART, path, "tag")
    folder = await offered(space, plan, {second[0]: Listed(second[1], "tag")})
    assert folder and read_uploaded(folder) == {second[0]: "tag"}


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
async def test_a_part_that_is_not_whole(space: WorkFolder, plan: Plan, damage: str) -> None:
    folder = leave(space, plan)
    file = folder / next(iter(make_record(plan, PART).objects))
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-1])
        case "gone":
            file.unlink()
        case _:
            (folder / RECORD).write_text("{")
    assert await offered(space, plan, {}) is None


async def test_a_tile_that_is_gone_makes_its_part_useless(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    bucket = upload(space, plan)
    next((space.job(ORG, OLD) / "tiles").iterdir()).unlink()
    assert await offered(space, plan, bucket) is None


async def test_called_again_it_changes_nothing(space: WorkFolder, plan: Plan) -> None:
    leave(space, plan)
    assert await offered(space, plan, {})
    folder = await offered(space, plan, {})
    assert folder and (folder / RECORD).exists()


def test_a_recipe_is_of_the_content_and_of_what_is_made_of_it(plan: Plan) -> None:
    source = make_fetched(ORG, NEW, plan).source
    recipe = recipe_of("content", source, plan)
    assert len(recipe) == 64
    fleet = plan.model_copy(update={"window": plan.window + 7, "widest": 40})
    assert recipe_of("content", source, fleet) == recipe, "how many are under way is nothing of the parts"
    others = [
        recipe_of("other", source, plan),
        recipe_of("content", source.model_copy(update={"bytes": 2}), plan),
        recipe_of("content", source, plan.model_copy(update={"preset": "other"})),
        recipe_of("content", source, plan.model_copy(update={"rungs": plan.rungs[1:]})),
    ]
    assert len({recipe, *others}) == 5
    assert recipe_of("", source, plan) == ""


def test_the_note_of_what_was_uploaded(tmp_path: Path) -> None:
    assert read_uploaded(tmp_path) == {}
    (tmp_path / UPLOADED).write_text("240p/a.m4s\n")
    note_uploaded(tmp_path, "240p/b.m4s", "tag")
    assert read_uploaded(tmp_path) == {"240p/a.m4s": "", "240p/b.m4s": "tag"}, "earlier versions noted no tags"
    with (tmp_path / UPLOADED).open("a") as note:
        note.write("240p/c.m4s\tta")
    assert read_uploaded(tmp_path).keys() == {"240p/a.m4s", "240p/b.m4s"}, (
        "nothing is believed of a line that was cut off"
    )
    write_uploaded(tmp_path, {"x": "y"})
    assert read_uploaded(tmp_path) == {"x": "y"} and [file.name for file in tmp_path.iterdir()] == [UPLOADED]
