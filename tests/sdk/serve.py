"""Starts the mock provider and the gateway in front of it, for the SDK tests of every language.

As a program it prints one line of JSON (addresses, keys, log files) and serves until its standard
input ends, so that it never outlives the tests that started it. A line of input stands between two
tests: it forgets the trouble of the first and prints a line. The Python tests import it.
Standard library only; everything listens on 127.0.0.1.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_TIMEOUT_S = 15
FIRST_PORT, PORTS = 10_000, 5_000
STOP_TIMEOUT_S = 10
LOG_TAIL_BYTES = 8000
# The provider keys; the number makes them new ones.
UPSTREAM_KEYS = {
    "OPENAI_API_KEY": "sk-upstream-openai-{}-0oai",
    "ANTHROPIC_API_KEY": "sk-upstream-anthropic-{}-0ant",
    "GEMINI_API_KEY": "upstream-gemini-{}-0gem",
}
# Answers of a provider after which a key is left alone for a while.
TROUBLE = {401, 402, 403, 429}


class Stack:
    """A running mock and gateway, with what a test needs to talk to them."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="arouter-sdk-"))
        self.processes = []
        self.keys = {
            "full": "lr_live_" + secrets.token_hex(24),
            "openai_only": "lr_live_" + secrets.token_hex(24),
            "google_only": "lr_live_" + secrets.token_hex(24),
            "manager": "lr_mgmt_" + secrets.token_hex(24),
        }
        self.upstream_keys = {}
        self.key_changes = self.seen = 0
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        binary = os.environ.get("AROUTER_BIN", str(ROOT / "target" / "debug" / "arouter"))
        gateway, admin, mock = free_addresses(3)
        self.url, self.mock_url = f"http://{gateway}", f"http://{mock}"
        self.admin_url = f"http://{admin}"
        self._write_upstream_keys()
        journal = str(self.folder / "mock.jsonl")
        script = str(HERE / "mock.toml")
        arguments = ["--listen", mock, "--journal", journal, "--script", script]
        self._spawn("mock", [binary, "mock", *arguments])
        template = (HERE / "gateway.toml").read_text()
        config = self.folder / "arouter.toml"
        addresses = {"gateway": gateway, "admin": admin, "mock": mock}
        config.write_text(template.format(**addresses, data=self.folder))
        self._spawn("gateway", [binary, "run", "-c", str(config)])
        self._wait_until_healthy("mock", self.mock_url)
        self._wait_until_healthy("gateway", self.url)

    def _spawn(self, name, command):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)}
        environment["AROUTER_TEST_KEY"] = self.keys["full"]
        environment["AROUTER_TEST_KEY_OPENAI"] = self.keys["openai_only"]
        environment["AROUTER_TEST_KEY_GOOGLE"] = self.keys["google_only"]
        environment["AROUTER_TEST_KEY_MANAGER"] = self.keys["manager"]
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd=self.folder,
            )
        self.processes.append((name, process))

    def _wait_until_healthy(self, name, url):
        process = dict(self.processes)[name]
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{self.log(name)}")
            try:
                with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                    return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} does not answer:\n{self.log(name)}") from None
                time.sleep(0.02)

    def _write_upstream_keys(self):
        self.key_changes += 1
        for name, form in UPSTREAM_KEYS.items():
            self.upstream_keys[name] = form.format(self.key_changes)
            (self.folder / name).write_text(self.upstream_keys[name])

    def forget_trouble(self):
        """Gives the gateway other provider keys, if it has reason by now to leave the present ones
        alone: what one test scripts must not be the next one's answer."""
        with urllib.request.urlopen(f"{self.mock_url}/__journal?since={self.seen}", timeout=5) as answer:
            entries = json.load(answer)
        self.seen = max([self.seen, *(entry["seq"] for entry in entries)])
        if any(entry["status"] in TROUBLE for entry in entries):
            self._write_upstream_keys()
            request = urllib.request.Request(f"{self.admin_url}/api/v1/config/reload", method="POST")
            urllib.request.urlopen(request, timeout=10).close()

    def log(self, name):
        """The end of what a process printed."""
        path = self.folder / f"{name}.log"
        return path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if path.exists() else ""

    def fallen(self):
        """Processes that ended although nobody asked them to, with their logs."""
        ended = [(n, p) for n, p in self.processes if p.poll() is not None]
        return "\n".join(f"{n} ended with {p.returncode}:\n{self.log(n)}" for n, p in ended)

    def description(self):
        """What a test in another language needs to know."""
        return {
            "gateway": self.url,
            "mock": self.mock_url,
            "keys": self.keys,
            "folder": str(self.folder),
        }

    def stop(self):
        """Ends both processes and removes their files."""
        for _, process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for _, process in self.processes:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_addresses(count):
    """Addresses nobody listens on, below the ports that the kernel gives out by itself."""
    found = []
    while len(found) < count:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if f"127.0.0.1:{port}" not in found:
            found.append(f"127.0.0.1:{port}")
    return found


def main():
    stack = Stack()
    try:
        print(json.dumps(stack.description()), flush=True)
        for _ in sys.stdin:
            stack.forget_trouble()
            print(flush=True)
    finally:
        fallen = stack.fallen()
        stack.stop()
    if fallen:
        sys.exit(fallen)


if __name__ == "__main__":
    main()
