#!/usr/bin/env python3
"""/-/ready follows a full disk and a dead disk, and back, each within a second; a server that nobody asks writes nothing.

Usage: readiness.py ARGUSD. Mounts a small tmpfs, so it has to run as root (or under `unshare -rm`). The dead disk is an
ext4 file system on a loop device, which is shut down; without loop devices this part is left out.
"""

import fcntl
import http.client
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# EXT4_IOC_SHUTDOWN, and its argument that discards what is not written yet.
SHUTDOWN, NO_FLUSH = 0x8004587D, 2


class Server:
    def __init__(self, binary, data):
        self.process = subprocess.Popen([binary, "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                        text=True, env=dict(os.environ, ARGUSD_ADMIN_PASSWORD="ready password"))
        match = re.match(r"argusd ready: http://([^:]+):(\d+)$", self.process.stdout.readline().strip())
        self.address = match[1], int(match[2])

    def ask(self, path):
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()

    def until(self, status):
        """Asks ten times a second. Returns the seconds that it took, and the last answer."""
        start = time.monotonic()
        while True:
            answer = self.ask("/-/ready")
            passed = time.monotonic() - start
            if answer[0] == status:
                assert self.ask("/-/healthy") == (200, "OK")
                return passed, answer[1]
            assert passed < 30, f"/-/ready still says {answer}"
            time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def written(directory):
    """Returns what an inspection of the directory shows of writes, reads left out."""
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in directory.iterdir()}, \
        directory.stat().st_mtime_ns


def full_disk(binary):
    disk = Path(tempfile.mkdtemp(prefix="argusd-ready-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    server = None
    try:
        server = Server(binary, f"{disk}/argusd.redb")
        assert server.until(200)[1] == "OK"
        # What the first seconds after the start write.
        time.sleep(5)
        before = written(disk)
        time.sleep(5)
        assert written(disk) == before, "a server that nobody asks writes"
        ballast = disk / "ballast"
        with open(ballast, "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"f" * 65536)
            except OSError:
                pass
        seconds, reason = server.until(503)
        print(f"full tmpfs: not ready after {seconds:.2f} s: {reason}")
        ballast.unlink()
        print(f"full tmpfs: ready again after {server.until(200)[0]:.2f} s")
    finally:
        if server:
            server.stop()
        subprocess.run(["umount", disk], check=True)
        disk.rmdir()


def dead_disk(binary):
    place = Path(tempfile.mkdtemp(prefix="argusd-ready-"))
    image, disk = place / "image", place / "disk"
    disk.mkdir()
    with open(image, "wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, disk]).returncode:
        print("no loop devices: the dead disk is left out")
        image.unlink()
        return
    server = None
    try:
        server = Server(binary, f"{disk}/argusd.redb")
        assert server.until(200)[1] == "OK"
        descriptor = os.open(disk, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_FLUSH))
        os.close(descriptor)
        seconds, reason = server.until(503)
        print(f"dead ext4: not ready after {seconds:.2f} s: {reason}")
        server.stop()
        server = None
        subprocess.run(["umount", disk], check=True)
        subprocess.run(["mount", "-o", "loop", image, disk], check=True)
        server = Server(binary, f"{disk}/argusd.redb")
        print(f"dead ext4: ready {server.until(200)[0]:.2f} s after it was mounted again and the server started")
    finally:
        if server:
            server.stop()
        subprocess.run(["umount", disk], check=True)
        image.unlink()
        disk.rmdir()
        place.rmdir()


def main():
    binary = str(Path(sys.argv[1]).resolve())
    full_disk(binary)
    dead_disk(binary)


if __name__ == "__main__":
    main()
