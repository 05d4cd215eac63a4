"""The dock itself: opening and closing a project, errors, dialogs, background work."""
