"""`python -m tests.releases.freeze` keeps what a database of the version in webcb/__init__.py is like. Before it is tagged."""

import json
import random
import secrets
import shutil
import tempfile
from pathlib import Path

from tests.billing.rows import NOON
from tests.keeping.test_copy import live_in
from tests.releases.frozen import FOLDER, ROWS, SCHEMA
from webcb import __version__, db
from webcb.billing import query
from webcb.models import ALL_TABLES

TOP = Path(__file__).parents[2]
PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$Fh4yq1fTrpE+2wF7OoZFoA$6Q0qm398vIg/q34+CcaXtCX99EfoNhbSF3UlzEgAli0"


def main() -> None:
    """Write the folder of this version."""
    folder = FOLDER / __version__
    folder.mkdir(exist_ok=True)
    shutil.copy(TOP / "schema.sql", folder / SCHEMA)
    with tempfile.TemporaryDirectory() as place:
        opened = db.connect(f"sqlite:///{place}/webcb.sqlite")
        opened.connect()
        db.migrate()
        # Nothing in it is by chance: two who freeze the same schema write the same.
        opened.execute_sql(f"UPDATE schema_version SET applied_at = {query.micros(NOON)}")
        drawn = random.Random(__version__)
        secrets.token_hex = lambda octets=32: drawn.randbytes(octets).hex()
        live_in()
        opened.execute_sql("UPDATE account SET service_password = ?", (PASSWORD,))
        opened.execute_sql("UPDATE catalog SET epoch = 1")
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
