"""Checks the Dockerfile, the compose file and the Kubernetes manifests by linters and schemas, their configurations by the
program, and that the parts fit each other. None of them is executed here.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import tomllib

import compose_spec
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGING = ROOT / "src/packaging"
BINARY = pathlib.Path(os.environ["TERTULIA_BIN"]).absolute()
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
KUBERNETES = "1.37"
SECRETS = {
    "BOT1_PASSWORD": "secret",
    "OPS_TOKEN": "operations",
    "TERTULIA_SEAL": "s" * 32,
    "TERTULIA_CLUSTER": "c" * 32,
    # Nothing listens on this port.
    "DATABASE_URL": "postgres://tertulia@127.0.0.1:1/tertulia",
}


def equal(found, expected, where):
    assert found == expected, f"{where}: {found!r} is not {expected!r}"


def mistakes(configuration, environment):
    """The mistakes that `tertulia check` finds in the text of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "tertulia.toml"
        file.write_text(configuration)
        ran = subprocess.run([BINARY, "check", "--json", "--config", file], env=environment, capture_output=True, text=True)
        return json.loads(ran.stdout)["mistakes"]


def dockerfile():
    subprocess.run(["hadolint", PACKAGING / "Dockerfile"], check=True)
    needed = subprocess.run(["readelf", "--dynamic", BINARY], check=True, capture_output=True, text=True).stdout
    libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", needed))
    # What the base image has.
    given = {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    assert libraries <= given, f"the image lacks {libraries - given}"


def ignored(path, rules):
    """Whether the build does not see a file; the last rule that matches decides."""
    stars = {"**/": "(.*/)?", "*": "[^/]*"}
    verdict = False
    for rule in rules:
        parts = re.split(r"(\*\*/|\*)", rule.removeprefix("!"))
        pattern = "".join(stars.get(part, re.escape(part)) for part in parts)
        if re.fullmatch(f"{pattern}(/.*)?", path):
            verdict = not rule.startswith("!")
    return verdict


def context():
    """What the build sees is complete: Cargo finds every target, and each file that a source includes is there."""
    lines = (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    listed = subprocess.run(["git", "ls-files", "--cached", "--others"], cwd=ROOT, check=True, capture_output=True, text=True)
    seen = [path for path in listed.stdout.splitlines() if not ignored(path, rules) and (ROOT / path).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for path in seen:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
        tree = ["cargo", "tree", "--quiet", "--locked", "--offline", "--workspace", "--depth", "0"]
        subprocess.run(tree, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for source in folder.rglob("*.rs"):
            for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
                assert (source.parent / name).exists(), f"the build does not see {name} of {source.relative_to(folder)}"
    for secret in ["tertulia.toml", "bot/tertulia.toml", "tertulia-data/x", ".git/config", "src/key.pem", "target/x", ".env"]:
        assert ignored(secret, rules), f"the build sees {secret}"


def compose():
    text = (PACKAGING / "compose.yaml").read_text()
    parsed = compose_spec.PyCompose.from_yaml(text)
    parsed.validate()
    parsed.to_spec()
    document = yaml.safe_load(text)
    services = document["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services, f"{name} depends on {needed}, which is none of the services"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            exists = (PACKAGING / source).exists() if source.startswith(".") else source in document["volumes"]
            assert exists, f"{name}: {source} does not exist"


def kubernetes(name):
    documents = list(yaml.safe_load_all((PACKAGING / "kubernetes" / name).read_text()))
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    by_kind = {document["kind"]: document for document in documents}
    equal(len(by_kind), len(documents), f"{name}: number of kinds")
    workload = by_kind.get("StatefulSet") or by_kind["Deployment"]
    pod = workload["spec"]["template"]["spec"]
    container, = pod["containers"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    configuration = tomllib.loads(by_kind["ConfigMap"]["data"]["tertulia.toml"])
    equal(int(configuration["gateway"]["listen"].split(":")[1]), ports["http"], f"{name}: the gateway's port")
    drain = sum(int(configuration["drain"][key].removesuffix("s")) for key in ("notice", "within"))
    assert pod["terminationGracePeriodSeconds"] > drain, f"{name}: the grace period ends before the drain"
    equal(container["image"].split(":")[1], VERSION, f"{name}: the image's version")

    selectors = [by_kind["Service"]["spec"]["selector"], workload["spec"]["selector"]["matchLabels"]]
    selectors += [constraint["labelSelector"]["matchLabels"] for constraint in pod.get("topologySpreadConstraints", [])]
    if "PodDisruptionBudget" in by_kind:
        selectors.append(by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"])
    if "NetworkPolicy" in by_kind:
        policy = by_kind["NetworkPolicy"]["spec"]
        selectors.append(policy["podSelector"]["matchLabels"])
        opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        equal(opened, set(ports), f"{name}: the ports of the network policy")
    for selector in selectors:
        equal(selector, labels, f"{name}: a selector")

    probes = {key: container[key]["httpGet"] for key in ("startupProbe", "livenessProbe", "readinessProbe")}
    paths = {key: probe["path"] for key, probe in probes.items()}
    equal(paths, {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}, f"{name}: probes")
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    image_user = re.findall(r"^USER (\d+):(\d+)$", (PACKAGING / "Dockerfile").read_text(), re.MULTILINE)[-1]
    pod_user = (str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["runAsGroup"]))
    equal(pod_user, image_user, f"{name}: the user")

    # Variables as the pod gets them.
    environment = {}
    for variable in container["env"]:
        value = variable.get("value") or SECRETS.get(variable["name"], "127.0.0.1")
        environment[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda name: environment[name[1]], value)
    found = mistakes(by_kind["ConfigMap"]["data"]["tertulia.toml"], environment)
    if configuration["engine"].get("kind") == "postgres":
        # The configuration itself has no mistake; the database does not answer.
        equal([(each["key"], each["line"]) for each in found], [("", None)], f"{name}: {found}")
        assert "database" in found[0]["text"], found
    else:
        equal(found, [], name)


dockerfile()
context()
compose()
kubernetes("embedded.yaml")
kubernetes("nodes.yaml")
print("-- the image's description, the compose file and the manifests are valid")
