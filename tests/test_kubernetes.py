"""The manifests of deploy/kubernetes: valid by the schemas of Kubernetes, and at one with the other files of a deployment."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped] # its stubs are not worth a dependency
from tests.test_deploy import DEPLOY, OURS, compose, example

MANIFESTS: Final = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents() -> list[dict[str, Any]]:
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def pods() -> list[dict[str, Any]]:
    """The specifications of all pods."""
    found = []
    for each in documents():
        spec = each.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template is not None:
            found.append(template["spec"])
    return found


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["containers"]]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid(path: Any) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for each in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        validate.validate(each, validate.latest_version(), strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    (deployment, *_) = [each for each in documents() if each["kind"] == "Deployment"]
    deployment["spec"]["replica"] = 2
    with pytest.raises(validate.ValidationError):
        validate.validate(deployment, validate.latest_version(), strict=True)


def test_selectors_find_their_pods_and_claims_and_settings_exist() -> None:
    made = {(each["kind"], each["metadata"]["name"]) for each in documents()}
    labels = [
        (each["spec"].get("template") or each["spec"]["jobTemplate"]["spec"]["template"])["metadata"]["labels"]
        for each in documents()
        if each["kind"] in {"Deployment", "StatefulSet", "CronJob"}
    ]
    for each in documents():
        if each["kind"] == "Service" and each["metadata"]["name"] != "nothing":
            assert any(each["spec"]["selector"].items() <= some.items() for some in labels), each["metadata"]["name"]
        if each["kind"] in {"Deployment", "StatefulSet"}:
            own = each["spec"]["template"]["metadata"]["labels"]
            assert each["spec"]["selector"]["matchLabels"] == own
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "aperiodic"
    for pod in pods():
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or ("PersistentVolumeClaim", claim) in made
    for container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "aperiodic"}}, {"secretRef": {"name": "aperiodic"}}]
    assert {("ConfigMap", "aperiodic"), ("Secret", "aperiodic")} <= made


def test_every_setting_exists_and_secrets_are_in_the_secret_alone() -> None:
    (given,) = [each["data"] for each in documents() if each["kind"] == "ConfigMap"]
    (secret,) = [each["stringData"] for each in documents() if each["kind"] == "Secret"]
    ours = {name for name in {*given, *secret} if name.startswith("APERIODIC_")}
    assert ours <= OURS
    assert all(re.search(r"[A-Z]+-[A-Z]+", value) for value in secret.values()), "a secret that is no example"
    assert not [value for value in given.values() if "PASSWORD" in value or "RANDOM" in value]
    assert {"APERIODIC_SECRET", "APERIODIC_LEDGER", "APERIODIC_METRICS_TOKEN"} <= secret.keys()


def test_pods_run_what_the_containers_of_the_compose_file_run() -> None:
    composed = {
        " ".join(service.get("command") or ["serve"])
        for service in compose()["services"].values()
        if service.get("image") == "aperiodic" and "profiles" not in service
    }
    mine = {" ".join(each["args"]).removesuffix(" --host 0.0.0.0") for each in containers() if "args" in each}
    assert mine == {words for words in composed if "okx-perps" not in words}
    assert example()["APERIODIC_LIVE_HUB"].startswith("nats://")


def test_no_container_may_do_more_than_it_needs() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            allowed = container["securityContext"]
            assert (allowed["allowPrivilegeEscalation"], allowed["readOnlyRootFilesystem"]) == (False, True)
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            written = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert {"/var/lib/aperiodic", "/tmp"} <= written  # noqa: S108 - of the container
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}
