"""How far a project's models can be trusted: what was measured, on what, and what follows."""
