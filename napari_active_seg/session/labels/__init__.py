"""Labels of a person: saving, history, effort, unpainted pixels."""
