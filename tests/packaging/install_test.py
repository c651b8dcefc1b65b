#!/usr/bin/env python3
"""What `cmake --install` gives to somebody who writes a worker of his own: few headers, each whole,
no debug information, and a library that is enough for the examples.
usage: install_test.py BUILD_FOLDER"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
MOST_HEADERS = 10
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(own LANGUAGES CXX)
find_package(mpbroker REQUIRED COMPONENTS rtmp)
add_library(headers OBJECT {headers})
add_executable(chat_worker {examples}/chat_worker.cpp)
add_executable(rtmp_worker rtmp_worker.cpp)
target_link_libraries(headers PRIVATE mpbroker::rtmp)
target_link_libraries(chat_worker PRIVATE mpbroker::worker)
target_link_libraries(rtmp_worker PRIVATE mpbroker::rtmp)
"""
RTMP_WORKER = """
#include <mpbroker/rtmp.hpp>
int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_rtmp(registry);
  return mpb::worker_main(argc, argv, registry);
}
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def shouts(path):
    """What a worker at the unix socket `path` answers; None: it does not listen yet."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        client.settimeout(30)
        client.sendall(b"kitchen\nhello\n")
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name)
        cls.prefix = cls.root / "prefix"
        run("cmake", "--install", sys.argv[1], "--prefix", cls.prefix)
        cls.headers = sorted(path for path in (cls.prefix / "include").rglob("*") if path.is_file())

    def build(self, source):
        """Of a project that knows the prefix alone."""
        build = self.root / f"build-{source.name}"
        run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build, "--parallel", "2")
        return build

    def test_there_are_few_headers_in_one_folder(self):
        self.assertLessEqual(len(self.headers), MOST_HEADERS)
        self.assertEqual({path.parent for path in self.headers}, {self.prefix / "include/mpbroker"})

    def test_each_header_compiles_alone_and_the_larger_examples_build(self):
        source = self.root / "own"
        source.mkdir()
        (source / "rtmp_worker.cpp").write_text(RTMP_WORKER)
        for header in self.headers:
            (source / f"{header.stem}.cpp").write_text(f"#include <mpbroker/{header.name}>\n")
        headers = " ".join(f"{header.stem}.cpp" for header in self.headers)
        (source / "CMakeLists.txt").write_text(PROJECT.format(headers=headers, examples=EXAMPLES))
        build = self.build(source)
        self.assertNotIn("mpb::rtmp::", run("nm", "-C", build / "chat_worker"))
        self.assertIn("mpb::rtmp::", run("nm", "-C", build / "rtmp_worker"))

    def test_the_example_is_built_from_the_prefix_alone_without_rtmp_and_serves(self):
        program = self.build(EXAMPLES / "cpp_worker") / "shout_worker"
        self.assertNotIn("mpb::rtmp::", run("nm", "-C", program))
        needed = run("readelf", "--dynamic", program)
        self.assertNotRegex(needed, "lib(crypto|ssl|boost_json)")
        path = self.root / "socket"
        worker = subprocess.Popen([program, "--listen", f"unix:{path}", "--protocol", "room"],
                                  stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while (answer := shouts(path)) is None and worker.poll() is None:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assertEqual(answer, b"HELLO\n")
        finally:
            worker.terminate()
            worker.wait()

    def test_there_is_no_debug_information(self):
        seen = 0
        for path in self.prefix.rglob("*"):
            if path.suffix == ".a" or path.parent.name in ("bin", "sbin"):
                seen += 1
                self.assertIsNone(re.search(r"\.z?debug_", run("readelf", "-SW", path)), path)
        self.assertGreaterEqual(seen, 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
