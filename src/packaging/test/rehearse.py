"""Runs the commands of the compose file as it says, without images: each service as the user of its image in a read-only
root of its own, with its variables, files and volumes, in the order of the health checks. The names of the services lead to
loopback. `consumers` must succeed, and the service must stop cleanly in time.

Runs as the first process of a PID namespace, with a mount and a network namespace of its own: what it writes and starts ends
with it.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import yaml

PACKAGING = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ["TERTULIA_BIN"]).absolute()
DEBIAN = pathlib.Path(sys.argv[1])
WORK = pathlib.Path("/mnt")
WITHIN = 30


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, up + bytes(40 - len(up)))


def base():
    """A root with what the base image and the Dockerfile give the program: the C library and libgcc, and no other program."""
    root = WORK / "base"
    for name in ("lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "etc", "proc"):
        (root / name).mkdir()
    [listed] = (DEBIAN / "var/lib/dpkg/info").glob("libc6:*.list")
    for path in map(str.strip, listed.open()):
        source, target = DEBIAN / path[1:], root / path[1:]
        if source.is_file() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_dir():
                shutil.copy2(source, target, follow_symlinks=False)
    [libgcc] = DEBIAN.glob("usr/lib/*-linux-gnu/libgcc_s.so.1")
    shutil.copy2(libgcc, root / "usr/lib")
    return root


def image(root):
    """What the last stage of the Dockerfile says about a container."""
    text = (PACKAGING / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    said = dict(re.findall(r"^(USER|WORKDIR|ENTRYPOINT|CMD) (.*)$", text, re.MULTILINE))
    return {
        "root": root,
        "user": said["USER"],
        "folder": said["WORKDIR"],
        "entry": yaml.safe_load(said["ENTRYPOINT"]),
        "command": yaml.safe_load(said["CMD"]),
        "environment": dict(re.findall(r"^ENV (\w+)=(.*)$", text, re.MULTILINE)),
    }


# Node is the one of this machine.
NODE = {"root": pathlib.Path("/"), "user": "1000:1000", "folder": "/", "entry": [], "command": None, "environment": {}}


def substituted(value):
    """`${NAME:-value}` without NAME in the environment."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)


class Container:
    def __init__(self, name, service, document, root):
        self.name, self.service = name, service
        self.image = image(root) if service["image"] == "tertulia" else NODE
        base = WORK / name
        for folder in ("upper", "work", "root"):
            (base / folder).mkdir(parents=True)
        owner = [int(number) for number in self.image["user"].split(":")]
        binds = self.binds(document, owner)
        root, upper = base / "root", base / "upper"
        for source, target, _ in binds:
            point = upper / target.lstrip("/")
            point.parent.mkdir(parents=True, exist_ok=True)
            point.mkdir(exist_ok=True) if source.is_dir() else point.touch()
        (upper / "etc").mkdir(exist_ok=True)
        (upper / "etc/hosts").write_text("127.0.0.1 localhost " + " ".join(document["services"]) + "\n")
        mode = "ro" if service["read_only"] else "rw"
        layers = f"lowerdir={self.image['root']},upperdir={upper},workdir={base / 'work'}"
        mount("-t", "overlay", "overlay", "-o", f"{mode},{layers}", root)
        mount("-t", "proc", "none", root / "proc")
        for source, target, mode in binds:
            mount("--bind", source, f"{root}{target}")
            mount("-o", f"remount,bind,{mode}", f"{root}{target}")
        self.root, self.process = root, None

    def binds(self, document, owner):
        """What is mounted, where, and whether it can be written."""
        binds = [(pathlib.Path(f"/dev/{device}"), f"/dev/{device}", "rw") for device in ("null", "urandom")]
        if self.image is not NODE:
            binds.append((BINARY, "/usr/local/bin/tertulia", "ro"))
        for volume in self.service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                source = PACKAGING / source
            else:
                source = WORK / "volumes" / source
                if not source.exists():
                    source.mkdir(parents=True, mode=0o700)
                    os.chown(source, *owner)
            binds.append((source, target, *(mode or ["rw"])))
        for config in self.service.get("configs", []):
            binds.append((PACKAGING / document["configs"][config["source"]]["file"], config["target"], "ro"))
        return binds

    def run(self, command, **options):
        """Starts a program of the container, without a shell."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        environment |= self.image["environment"]
        environment |= {key: substituted(value) for key, value in self.service.get("environment", {}).items()}
        user, group = map(int, self.image["user"].split(":"))

        def enter():
            os.chroot(self.root)
            os.chdir(self.service.get("working_dir", self.image["folder"]))
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)

        return subprocess.Popen(command, env=environment, preexec_fn=enter, **options)

    def start(self):
        command = self.service.get("command", self.image["command"])
        log = (WORK / f"{self.name}.log").open("w")
        self.process = self.run(self.image["entry"] + command, stdout=log, stderr=log)

    def log(self):
        return (WORK / f"{self.name}.log").read_text()

    def is_healthy(self):
        kind, *command = self.service["healthcheck"]["test"]
        assert kind == "CMD", f"{self.name}: a health check by a shell"
        return self.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(WITHIN) == 0


def until(holds, what, containers):
    deadline = time.monotonic() + WITHIN
    while not holds():
        ended = [container for container in containers if container.process and container.process.poll() not in (None, 0)]
        if ended or time.monotonic() > deadline:
            raise TimeoutError(f"{what}; ended: {[container.name for container in ended]}")
        time.sleep(0.05)


def rehearse(containers):
    started = {}
    while len(started) < len(containers):
        ready = [each for each in containers if each.name not in started and set(each.service.get("depends_on", {})) <= set(started)]
        assert ready, "services depend on each other in a circle"
        for container in ready:
            for needed, how in container.service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy":
                    until(started[needed].is_healthy, f"{needed} is not healthy", containers)
            container.start()
            started[container.name] = container
    consumers, service = started["consumers"], started["service"]
    until(lambda: consumers.process.poll() == 0, "the consumers got no answers", containers)
    print("--", consumers.log().strip())
    service.process.send_signal(signal.SIGTERM)
    code = service.process.wait(int(service.service["stop_grace_period"].removesuffix("s")))
    assert code == 0, f"the service ended with {code}"


def main():
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "none", WORK)
    loopback_up()
    document = yaml.safe_load((PACKAGING / "compose.yaml").read_text())
    root = base()
    containers = [Container(name, service, document, root) for name, service in document["services"].items()]
    try:
        rehearse(containers)
    except BaseException:
        for container in containers:
            if container.process:
                print(f"== {container.name}\n{container.log()[-4000:]}")
        raise


main()
