"""The commands that write, the state before each, and what is run after it was interrupted."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from eduguard.checks.verification import disguise
from eduguard.postgres import connect, execute_for
from eduguard.rebuild import templates
from judgement import Judge, State
from school import BASE, OLDER, ROOT, Place, Stage

PHOTOS = ROOT / "seed_data" / "photos"
CLASS = "class-1b-lenguaje"
SNAPSHOT = "before"
_AN_OLD_FACE = "00000000-0000-4000-8000-000000000000"  # not in any collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command that writes.

    Attributes:
        words: the command; {folder} is the folder of the files made for it.
        stage: the state before.
        is_whole: its rows change all at once.
        keeps_previous: the database before is kept.
        then: what is run instead, if the command has done its work in spite of the fault and would now do other work.
        has_templates: it clones what it made before, and sends less than the first time.
    """

    name: str
    words: str
    stage: Stage = field(default_factory=Stage)
    is_whole: bool = True
    keeps_previous: bool = False
    then: str = ""
    has_templates: bool = False

    def judge(self, before: State, after: State) -> Judge:
        """Return the judge of what the command leaves."""
        return Judge(before=before, after=after, is_whole=self.is_whole, keeps_previous=self.keeps_previous)


def _edit_rows(place: Place) -> None:
    place.execute(
        "DELETE FROM student_faces WHERE external_image_id = 'student-002-photo-1';"
        "UPDATE students SET first_name = 'Somebody' WHERE id = 'student-003'"
    )


def _forget_faces(place: Place) -> None:
    """Remove the FaceIds from one school's rows: each school is synced in its own transaction."""
    place.execute(
        "UPDATE student_faces f SET face_id = 'placeholder' FROM students s"
        " WHERE s.id = f.student_id AND s.school_id = 'school-001' AND s.id <> 'student-001';"
        f"UPDATE student_faces SET face_id = '{_AN_OLD_FACE}' WHERE external_image_id = 'student-001-photo-1'"
    )


def _lose_a_student(place: Place) -> None:
    """Delete a student's faces and one of the photos."""
    lost = [face for face, external in place.known_faces.items() if external.startswith("student-003-")]
    place.faces.delete_faces(CollectionId=place.name, FaceIds=lost)
    place.bucket.delete_object(Bucket=place.name, Key="students/student-003/photo-2.jpg")


def _lose_faces(place: Place) -> None:
    """Delete faces whose photos and rows stay."""
    lost = [
        face for face, external in place.known_faces.items() if external.startswith(("student-003-", "student-101-"))
    ]
    for name in (place.name, f"{place.name}-2"):
        place.faces.delete_faces(CollectionId=name, FaceIds=lost)


def _lose_photos(place: Place) -> None:
    """Delete photos whose rows and faces stay."""
    for number in (1, 2):
        place.bucket.delete_object(Bucket=place.name, Key=f"students/student-101/photo-{number}.jpg")


def _give_a_user(place: Place) -> None:
    """Associate a student's faces with a user."""
    own = [face for face, external in place.known_faces.items() if external.startswith("student-003-")]
    place.faces.create_user(CollectionId=place.name, UserId="student-003")
    place.faces.associate_faces(CollectionId=place.name, UserId="student-003", FaceIds=own)


def _save_a_snapshot(place: Place) -> None:
    _drop_snapshots(place)
    _must(place, f"snapshot save {SNAPSHOT}")
    place.execute("UPDATE students SET first_name = 'Somebody' WHERE id = 'student-003'")


def _drop_snapshots(place: Place) -> None:
    for line in _must(place, "snapshot list").splitlines():
        if line.startswith("snapshot"):
            _must(place, f"snapshot delete {SNAPSHOT}")


def _damage_a_photo(place: Place) -> None:
    place.bucket.put_object(Bucket=place.name, Key="students/student-002/photo-1.jpg", Body=b"no picture")
    place.bucket.delete_object(Bucket=place.name, Key="students/student-003/photo-2.jpg")


def _drop_templates(place: Place) -> None:
    with connect(place.live.maintenance, purpose="tests") as conn:
        templates.retire(conn, place.live, kept=0)
        for each in templates.list_unwanted(conn, place.live):
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", each)


def _must(place: Place, words: str) -> str:
    done = place.run(words.split(), is_direct=True)
    assert done.code == 0, f"{words}: {done.output}{done.errors}"
    return done.output


SCENARIOS = (
    Scenario(name="seed", words="seed", stage=Stage(change=_edit_rows)),
    Scenario(name="sync-faces", words="sync-faces", stage=Stage(change=_forget_faces)),
    Scenario(
        name="enrol",
        words="enrol student-002 {folder}/new-1.jpg {folder}/new-2.jpg",
        is_whole=False,
    ),
    Scenario(name="sync-faces --users", words="sync-faces --users"),
    Scenario(name="enrol (samples)", words="enrol --yes", stage=Stage(change=_lose_a_student)),
    Scenario(name="unenrol", words="unenrol student-003 --yes", stage=Stage(change=_give_a_user)),
    Scenario(name="migrate", words="migrate", stage=Stage(database="faults_older"), is_whole=False),
    Scenario(name="rollback", words="rollback", keeps_previous=True, then="undo"),
    Scenario(name="reset", words="reset", keeps_previous=True, has_templates=True),
    Scenario(name="reset (cold)", words="reset", stage=Stage(change=_drop_templates), keeps_previous=True),
    Scenario(name="full", words="full --yes", keeps_previous=True, has_templates=True),
    Scenario(name="full (cold)", words="full --yes", stage=Stage(change=_drop_templates), keeps_previous=True),
    Scenario(name="undo", words="undo", stage=Stage(previous="faults_older"), keeps_previous=True, then="undo"),
    Scenario(name="snapshot save", words=f"snapshot save {SNAPSHOT}", stage=Stage(change=_drop_snapshots)),
    Scenario(
        name="snapshot restore",
        words=f"snapshot restore {SNAPSHOT}",
        stage=Stage(change=_save_a_snapshot),
        keeps_previous=True,
    ),
    Scenario(
        name="attendance take",
        words=f"attendance take {CLASS} {PHOTOS}/classes/{CLASS}.jpg --at 2026-03-09T08:30Z",
    ),
    Scenario(name="reindex", words="reindex --yes", stage=Stage(change=_lose_faces)),
    Scenario(name="photos draw", words="photos draw --school school-002", stage=Stage(change=_lose_photos)),
    Scenario(name="photos push", words="photos push {folder}/bucket --yes", stage=Stage(change=_damage_a_photo)),
)


def make_files(folder: Path) -> None:
    """Write the pictures that the commands need."""
    for number in (1, 2):
        picture = (PHOTOS / "students" / "student-002" / f"photo-{number}.jpg").read_bytes()
        (folder / f"new-{number}.jpg").write_bytes(disguise(picture))
    picture = (PHOTOS / "students" / "student-001" / "photo-1.jpg").read_bytes()
    (folder / "own.jpg").write_bytes(disguise(picture))
    shutil.copytree(PHOTOS / "students", folder / "bucket" / "students")


def make_base(place: Place, folder: Path) -> None:
    """Make the base of every stage: a school with photos, attendance and a row of its own."""
    assert place.name == BASE
    _must(place, "full --yes")
    _must(place, f"enrol student-001 {folder}/own.jpg")
    _must(place, f"attendance take {CLASS} {PHOTOS}/classes/{CLASS}.jpg --at 2026-03-02T08:30Z")
    place.execute("INSERT INTO stages (id, name, position) VALUES ('own', 'Own', 99)")


def make_older(place: Place) -> None:
    """Make a copy of the school as an earlier version had it."""
    assert place.name == OLDER
    place.copy_base()
    _must(place, "rollback --count 2")
