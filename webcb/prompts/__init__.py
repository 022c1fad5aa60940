"""Prompts: what may be said in which language, the voice that says it, and the recordings that replace it.

`catalogue` holds the texts, `library` finds the files, `synthesis` makes them. When what is said is the engine's affair
(`engine.ivr`), and in which words and order a number or an amount is, too (`engine.speech`).
"""
