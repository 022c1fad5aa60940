"""What databases of each version looked like: its schema, and the rows of a lived-in one. A folder a version, kept for ever.

python -m tests.releases.freeze        before a version is tagged: writes its folder from the tree as it stands
"""
