"""What `detect` saw, one row an instance or a picture, for `monitor` to compare with later."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from kiridashi.classes.registry.tables import STATISTICS
from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class Statistic:
    """One row.

    Attributes:
        time: when, with a time zone.
        picture: name of the picture.
        digest: of the picture.
        class_name: of the instance, as it was called then; None: the row says only how many were unknown.
        score: of the instance; None without one.
        unknown: number of proposals in the picture that no class took.
        distance: cosine distance of the instance's embedding to the mean of the class's shots, 0..2.
        identity: of the class, which stays when it is renamed.
    """

    time: datetime
    picture: str
    digest: str
    class_name: str | None
    score: float | None
    unknown: int = 0
    distance: float | None = None
    identity: int | None = None

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise UsageError("a statistic's time has a time zone; take datetime.now(UTC)")


def write_statistics(connection: Connection, rows: Iterable[Statistic]) -> None:
    """Append rows."""
    values = [{**asdict(row), "time": time_text(row.time)} for row in rows]
    if values:
        connection.execute(insert(STATISTICS), values)


def read_statistics(connection: Connection, since: datetime | None = None) -> list[Statistic]:
    """Rows in the order of their times, from a time on."""
    columns = [column for column in STATISTICS.c if column.name != "id"]
    query = select(*columns).order_by(STATISTICS.c.time, STATISTICS.c.id)
    if since is not None:
        query = query.where(STATISTICS.c.time >= time_text(since))
    found = (dict(row) for row in connection.execute(query).mappings())
    return [Statistic(**{**row, "time": datetime.fromisoformat(row["time"])}) for row in found]


def count_statistics(connection: Connection) -> int:
    """Number of rows."""
    return int(connection.execute(select(func.count()).select_from(STATISTICS)).scalar_one())


def drop_statistics(
    connection: Connection, since: Mapping[int | None, datetime], newest: int, first: int
) -> int:
    """Delete old rows and return their number; see `Registry.drop_statistics`."""
    columns = (STATISTICS.c.id, STATISTICS.c.time, STATISTICS.c.digest, STATISTICS.c.identity)
    rows = connection.execute(select(*columns).order_by(STATISTICS.c.time, STATISTICS.c.id)).all()
    begins = {identity: time_text(time) for identity, time in since.items()}
    left = dict.fromkeys(begins, first)
    gone: list[int] = []
    old = 0
    # Rows of one picture have one time and one digest.
    for (time, _), group in groupby(rows, key=lambda row: (row.time, row.digest)):
        if old >= len(rows) - newest:
            break
        members = list(group)
        old += len(members)
        wanted = [row.identity for row in members if left.get(row.identity) and time >= begins[row.identity]]
        for identity in wanted:
            left[identity] = max(0, left[identity] - 1)
        if not wanted:
            gone += [row.id for row in members]
    if gone:
        connection.execute(
            delete(STATISTICS).where(STATISTICS.c.id == bindparam("gone")), [{"gone": one} for one in gone]
        )
    return len(gone)


def time_text(time: datetime) -> str:
    """A time in UTC as text of one length, whose order is that of time.

    Raises:
        UsageError: it has no time zone.
    """
    if time.tzinfo is None:
        raise UsageError("a time without a time zone cannot be compared; take datetime.now(UTC)")
    return time.astimezone(UTC).isoformat(timespec="microseconds")
