"""JupyterLab with a real kernel, looked at by a headless Chromium that is driven by its mouse."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import nbformat


@contextlib.contextmanager
def lab(folder, cells):
    """Yield the address of a notebook with these cells, served by a JupyterLab of its own."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python"}},
    )
    nbformat.write(notebook, folder / "paint.ipynb")
    own = {
        f"JUPYTER_{name}_DIR": str(folder / f".jupyter-{name}")
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    kernel = folder / ".jupyter-DATA" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            *("--port=0", "--IdentityProvider.token=", "--ServerApp.password="),
            *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",),
            *("--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
            "--LabApp.expose_app_in_browser=True",
        ],
        cwd=folder,
        env={**os.environ, **own, "IPYTHONDIR": str(folder / ".ipython"), "HOME": str(folder)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    said = []
    try:
        yield f"{_address(server, said)}lab/tree/paint.ipynb"
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(15)
        server.kill()
        server.stderr.close()


def _address(server, said):
    found = threading.Event()

    def read():
        for line in server.stderr:
            said.append(line)
            if re.search(r"http://127\.0\.0\.1:\d+/", line):
                found.set()

    threading.Thread(target=read, daemon=True).start()
    if not found.wait(90):
        raise RuntimeError("JupyterLab did not start: " + "".join(said)[-2000:])
    address = re.search(r"http://127\.0\.0\.1:\d+/", "".join(said))[0]
    for _ in range(100):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}api", timeout=5):
            return address
        time.sleep(0.2)
    raise RuntimeError("JupyterLab does not answer: " + "".join(said)[-2000:])


def chromium_path():
    """Return where a Chromium is whose driver is there too; None without one."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    return browser if shutil.which("chromedriver") else None


@contextlib.contextmanager
def chromium(profile):
    """Yield a driver of a headless Chromium of the system."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium_path()
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
        *("--window-size=1280,1200", f"--user-data-dir={profile}", "--force-device-scale-factor=1"),
    ):
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def run_all_cells(driver, address):
    """Open a notebook and run it, by Lab's own command, once its kernel is there."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(address)
    idle = """
        const shown = window.jupyterapp && window.jupyterapp.shell.currentWidget;
        const kernel = shown && shown.sessionContext && shown.sessionContext.session
            && shown.sessionContext.session.kernel;
        return Boolean(kernel && kernel.status === "idle");
    """
    WebDriverWait(driver, 120, 0.5).until(lambda d: d.execute_script(idle))
    driver.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
