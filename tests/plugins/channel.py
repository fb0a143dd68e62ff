# A channel plug-in for tests: what it does is a setting. A name that begins with "old" speaks the first generation.
import json
import os
import signal
import subprocess
import sys
import threading
import time

OLD = os.path.basename(sys.argv[0]).startswith("old")
OUT = threading.Lock()
CONFIG = {}
HELD = []


def write(text):
    with OUT:
        sys.stdout.write(text)
        sys.stdout.flush()


def succeed(request, result=None):
    if OLD:
        answer = {"id": request["id"]} if result is None else {"result": result, "id": request["id"]}
    else:
        answer = {"jsonrpc": "2.0", "result": result, "id": request["id"]}
    write(json.dumps(answer) + "\n")


def fail(request, code, message):
    error = message if OLD else {"code": code, "message": message}
    write(json.dumps({"jsonrpc": "2.0", "error": error, "id": request["id"]}))


def descriptors():
    found = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            found.append(os.readlink("/proc/self/fd/" + name))
        except FileNotFoundError:
            pass
    return found


def record(what):
    path = CONFIG.get("record")
    if path:
        what["pid"] = os.getpid()
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")


def detach():
    # One in a session of its own, and one that has lost its parents besides.
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(["sleep", "600"], start_new_session=True, **nothing)
    shell = subprocess.run(
        ["sh", "-c", "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    )
    record({"started": [child.pid, int(shell.stdout)]})


def set_config(request):
    config = request["params"]
    if config.get("mood") == "refuse":
        return fail(request, -32602, "the room is missing")
    CONFIG.clear()
    CONFIG.update(config)
    if config.get("mood") == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    record({"config": config})
    if config.get("mood") == "deaf":
        return
    succeed(request)


def notify(request):
    mood = CONFIG.get("mood", "good")
    record({"params": request["params"]})
    if mood in ("hang", "stubborn"):
        return
    if mood == "crash":
        os._exit(3)
    if mood == "garbage":
        return write("Traceback (most recent call last):\n")
    if mood == "huge":
        return write('{"result": "' + "x" * (2 << 20) + '"}')
    if mood == "flood":
        while True:
            write('{"jsonrpc":"2.0","method":"channel::Log","params":{"level":"debug","message":"' + "x" * 60000 + '"}}')
    if mood == "chatter":
        while True:
            sys.stderr.write("x" * 60000 + "\n")
    if mood == "twice":
        fail(request, -32602, "no such room")
        return succeed(request)
    if mood == "bad":
        return fail(request, -32602, "no such room")
    if mood == "down":
        return fail(request, -32603, "the room is closed")
    if mood == "backwards":
        HELD.append(request)
        if len(HELD) == 3:
            for held in reversed(HELD):
                succeed(held, held["params"]["contact"]["full_name"])
            HELD.clear()
        return
    if mood == "chatty":
        sys.stderr.write("on its way\n")
        sys.stderr.flush()
        write('{"method":"Log","params":{"level":"info","message":"a","fields":["k",1]}} {"method":"host::Eat","id":"a"}')
        refused = json.loads(sys.stdin.readline())
        assert refused["error"]["code"] == -32601 and refused["id"] == "a", refused
        write('{"method":"channel::Log","params":{},"id":9}')
        refused = json.loads(sys.stdin.readline())
        assert refused["error"]["code"] == -32600 and refused["id"] == 9, refused
    if mood == "detach":
        detach()
    if mood == "bare":
        with open("/proc/self/environ", "rb") as file:
            environment = file.read().decode().rstrip("\0").split("\0")
        record({"environment": environment, "descriptors": descriptors(), "cwd": os.getcwd()})
    succeed(request)


INFO = {
    "name": "Test room",
    "version": "1.2.3",
    "author": "The testers",
    "config_attrs": [
        {"name": "mood", "type": "string", "label": {"en_US": "Mood"}, "required": True},
        {"name": "token", "type": "secret", "label": {"en_US": "Token"}},
    ],
}

for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "GetInfo":
        succeed(message, INFO)
    elif message["method"] == "SetConfig":
        set_config(message)
    else:
        notify(message)
