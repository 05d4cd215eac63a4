"""The menu bar as a person uses it."""


def menu_action(viewer, *titles):
    """Return the action below ``titles``, found in the real menu bar by how it begins."""
    menu = viewer.window._qt_window.menuBar()
    action = None
    for title in titles:
        if menu is None:
            raise AssertionError(f"{titles}: no menu above {title!r}")
        if hasattr(menu, "aboutToShow"):
            menu.aboutToShow.emit()
        found = [a for a in menu.actions() if plain(a.text()).startswith(title)]
        if len(found) != 1:
            raise AssertionError(f"{title!r} in {[plain(a.text()) for a in menu.actions()]}")
        action, menu = found[0], found[0].menu()
    return action


def plain(text):
    """Return the text of an action without the marks of its key."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")
