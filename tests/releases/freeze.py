"""`python -m tests.releases.freeze` keeps what a database of the version in webcb/__init__.py is like. Before it is tagged."""

import json
import shutil
import tempfile
from pathlib import Path

from tests.keeping.test_copy import live_in
from tests.releases.frozen import FOLDER, ROWS, SCHEMA
from webcb import __version__, db
from webcb.models import ALL_TABLES

TOP = Path(__file__).parents[2]


def main() -> None:
    """Write the folder of this version."""
    folder = FOLDER / __version__
    folder.mkdir(exist_ok=True)
    shutil.copy(TOP / "schema.sql", folder / SCHEMA)
    with tempfile.TemporaryDirectory() as place:
        opened = db.connect(f"sqlite:///{place}/webcb.sqlite")
        opened.connect()
        db.migrate()
        live_in()
        lines = []
        for name in ["schema_version", *(table._meta.table_name for table in ALL_TABLES)]:
            cursor = opened.execute_sql(f'SELECT * FROM "{name}" ORDER BY 1')
            columns = [column[0] for column in cursor.description]
            lines += [json.dumps([name, dict(zip(columns, row, strict=True))]) for row in cursor.fetchall()]
        opened.close()
    (folder / ROWS).write_text("\n".join(lines) + "\n")
    print(f"{folder.relative_to(TOP)}: {len(lines)} rows")


if __name__ == "__main__":
    main()
