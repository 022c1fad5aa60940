"""Builds the cffi extension and carries schema.sql, which lives at the top level, inside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TOP = Path(__file__).resolve().parent


class BuildWithSchema(build_py):
    """A wheel finds the schema beside webcb/db.py; a checkout finds it at the top level."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "webcb" / "schema.sql"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / "schema.sql", target)


setup(cffi_modules=["rtpbridge/build.py:ffibuilder"], cmdclass={"build_py": BuildWithSchema})
