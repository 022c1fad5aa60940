"""Several nodes as an operator would have them: hosts of their own in network namespaces, one PostgreSQL, a carrier's edge."""
