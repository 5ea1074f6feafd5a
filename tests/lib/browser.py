# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser without any network, for tests of the pages: Debian's Chromium, headless, in a network namespace
that has a loopback and nothing else. Everything that a page tries is noted: requests, console messages, alerts."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-extensions --disable-default-apps --hide-scrollbars""".split()
NEEDED = ("chromium", "chromedriver", "unshare", "ip")


def missing():
    """Why no browser can be started here, or None."""
    for tool in NEEDED:
        if not shutil.which(tool):
            return f"{tool} is not installed"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "python3-selenium is not installed"
    if subprocess.run(["unshare", *_own(), "true"], capture_output=True, check=False).returncode:
        return "no network namespace can be made"
    return None


def _own():
    return ["-n"] if os.geteuid() == 0 else ["-rn"]


def enter_namespace():
    """Starts the program anew where nothing can be reached."""
    if not os.environ.get("VW_BROWSER_NS"):
        os.environ["VW_BROWSER_NS"] = "1"
        os.execvp("unshare", ["unshare", *_own(), sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Browser:
    """One page after the other. scripts=False: as a reader who allows none."""

    def __init__(self, width=1500, height=1000, dark=False, scripts=True):
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        self.profile = tempfile.mkdtemp(prefix="vw-browser.")
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={self.profile}")
        options.add_argument(f"--window-size={width},{height}")
        if dark:
            options.add_argument("--blink-settings=preferredColorScheme=0")
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            window.calls = [];
            for (const name of ["alert", "confirm", "prompt", "open", "fetch", "eval"])
                window[name] = (...a) => { window.calls.push(name + ": " + a); };"""})

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, path):
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.url = "file://" + os.path.abspath(path)
        self.driver.get(self.url)

    def js(self, code, *args):
        return self.driver.execute_script(code, *args)

    def misdeeds(self):
        """What the page did since it was opened and should not have: console messages, requests, calls."""
        bad = [e["message"] for e in self.driver.get_log("browser")]
        for e in self.driver.get_log("performance"):
            m = json.loads(e["message"])["message"]
            if m["method"] == "Network.requestWillBeSent" and m["params"]["request"]["url"] != self.url:
                bad.append("request: " + m["params"]["request"]["url"])
        return bad + self.js("return window.calls || []")
