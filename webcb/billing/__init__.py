"""May they call, how long, and for how much. Most modules are pure; `catalog`, `ledger`, `reception` and `credentials` are doors."""
