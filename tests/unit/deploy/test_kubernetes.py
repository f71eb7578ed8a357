"""The manifests: by Kubernetes' own schemas, and what those cannot know."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ops.foundation.settings import Settings
from tests.support.deployment import (
    DEPLOY,
    MANIFESTS,
    ROOT,
    in_image,
    pods,
    resource,
    resources,
    workloads,
)

#: The oldest version that has all that is used (the pause before a container's end), and the newest known.
VERSIONS = ("1.30", kubernetes_validate.latest_version())

#: What KEDA 2 knows in a ScaledObject's spec and in a trigger, by its reference. The autoscaler's behaviour,
#: which it hands on to Kubernetes, is checked by Kubernetes' schema.
SCALED_OBJECT = {
    "scaleTargetRef",
    "pollingInterval",
    "cooldownPeriod",
    "initialCooldownPeriod",
    "idleReplicaCount",
    "minReplicaCount",
    "maxReplicaCount",
    "fallback",
    "advanced",
    "triggers",
}
TRIGGER = {"type", "name", "metricType", "metadata", "authenticationRef", "useCachedMetrics"}
PROMETHEUS = {
    "serverAddress",
    "query",
    "queryParameters",
    "threshold",
    "activationThreshold",
    "namespace",
    "customHeaders",
    "ignoreNullValues",
    "timeout",
    "unsafeSsl",
}

KUBERNETES_OWN = [it for it in resources() if not it["apiVersion"].startswith("keda.sh/")]


def name_of(it: Mapping[str, Any]) -> str:
    return f"{it['kind']} {it['metadata']['name']}"


each_workload = pytest.mark.parametrize("workload", [pytest.param(it, id=name_of(it)) for it in workloads()])


def pod_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    [container] = pod_of(workload)["containers"]
    found: dict[str, Any] = container
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("it", [pytest.param(it, id=name_of(it)) for it in KUBERNETES_OWN])
def test_kubernetes_knows_every_field(it: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(it, version, strict=True)


def test_a_field_it_does_not_know_is_found_out() -> None:
    wrong = copy.deepcopy(resource("Deployment", "recado-worker"))
    pod_of(wrong)["terminationGracePeriod"] = 180
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_manifest_is_applied_or_is_an_example() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    others = {path.name for path in MANIFESTS if path.name.endswith(".example.yaml")}
    applied = set(kustomization["resources"])
    assert applied | others | {"kustomization.yaml", "keda.yaml"} == {path.name for path in MANIFESTS}
    assert not applied & others
    assert {it["name"] for it in kustomization["images"]} == {container_of(it)["image"] for it in workloads()}


def test_no_manifest_names_a_namespace() -> None:
    assert [name_of(it) for it in resources() if "namespace" in it["metadata"]] == []


@each_workload
def test_selectors_select_what_is_made(workload: dict[str, Any]) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    budget = resource("PodDisruptionBudget", workload["metadata"]["name"])
    assert budget["spec"]["selector"]["matchLabels"] == labels
    [spread] = pod_of(workload)["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels


def test_the_way_in_leads_to_the_api() -> None:
    api = resource("StatefulSet", "recado-api")
    service = resource("Service", api["spec"]["serviceName"])
    assert service["spec"]["selector"] == api["spec"]["template"]["metadata"]["labels"]
    [port] = container_of(api)["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    [rule] = resource("Ingress", "recado")["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert path["path"] == "/webhooks/twilio/"
    assert path["backend"]["service"] == {
        "name": service["metadata"]["name"],
        "port": {"name": service["spec"]["ports"][0]["name"]},
    }


def test_ports_are_those_the_programs_listen_on() -> None:
    listened = {"api": "API_PORT", "worker": "METRICS_PORT"}
    for workload, program in zip(workloads(), pods(), strict=True):
        [port] = container_of(workload)["ports"]
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        name = listened[program.arguments[0]]
        assert program.environment[name] == str(port["containerPort"]) == annotations["prometheus.io/port"]


@each_workload
def test_pods_are_confined(workload: dict[str, Any]) -> None:
    pod, container = pod_of(workload), container_of(workload)
    uid, gid = (int(number) for number in in_image("USER").split(":"))
    user = pod["securityContext"]
    assert (user["runAsNonRoot"], user["runAsUser"], user["runAsGroup"], user["fsGroup"]) == (
        True,
        uid,
        gid,
        gid,
    )
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


@each_workload
def test_no_service_of_the_namespace_becomes_a_setting(workload: dict[str, Any]) -> None:
    assert pod_of(workload)["enableServiceLinks"] is False


def test_what_is_written_is_on_a_volume() -> None:
    for workload, program in zip(workloads(), pods(), strict=True):
        mounts = {mount["mountPath"] for mount in container_of(workload)["volumeMounts"]}
        assert in_image("WORKDIR") in mounts
        assert program.environment["METRICS_DIRECTORY"] in mounts
        spool = program.environment.get("SPOOL_PATH")
        assert spool is None or str(PurePosixPath(spool).parent) in mounts
        volumes = {volume["name"] for volume in pod_of(workload)["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
        assert {mount["name"] for mount in container_of(workload)["volumeMounts"]} == volumes


def test_the_spool_outlives_the_pod_and_the_set() -> None:
    api = resource("StatefulSet", "recado-api")
    [claim] = api["spec"]["volumeClaimTemplates"]
    [mount] = [it for it in container_of(api)["volumeMounts"] if it["name"] == claim["metadata"]["name"]]
    [spool] = [it["value"] for it in container_of(api)["env"] if it["name"] == "SPOOL_PATH"]
    assert spool.startswith(mount["mountPath"] + "/")
    assert set(api["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


def test_the_example_of_the_secret_has_placeholders_only() -> None:
    secret = resource("Secret", "recado")
    assert all(re.fullmatch(r"<.+>", value) for value in secret["stringData"].values())
    names = {field.lower() for field in secret["stringData"]}
    assert names <= set(Settings.model_fields)


# -- KEDA ----------------------------------------------------------------------------------------------


def test_keda_scales_the_workers_as_it_knows_how() -> None:
    scaled = resource("ScaledObject", "recado-worker")
    spec = scaled["spec"]
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert set(spec) <= SCALED_OBJECT
    assert resource("Deployment", spec["scaleTargetRef"]["name"])
    assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    [trigger] = spec["triggers"]
    assert set(trigger) <= TRIGGER
    assert trigger["type"] == "prometheus"
    assert set(trigger["metadata"]) <= PROMETHEUS
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_kubernetes_knows_the_autoscaler_that_keda_will_make() -> None:
    scaled = resource("ScaledObject", "recado-worker")["spec"]
    assert set(scaled["advanced"]) == {"horizontalPodAutoscalerConfig"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda-hpa-recado-worker"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", **scaled["scaleTargetRef"]},
            "minReplicas": scaled["minReplicaCount"],
            "maxReplicas": scaled["maxReplicaCount"],
            **scaled["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }
    for version in VERSIONS:
        kubernetes_validate.validate(autoscaler, version, strict=True)


def test_keda_asks_for_a_wait_that_is_measured_and_a_target_that_is_the_supervisors() -> None:
    [trigger] = resource("ScaledObject", "recado-worker")["spec"]["triggers"]
    measured = "\n".join(path.read_text() for path in (ROOT / "brokers").rglob("*.py"))
    asked = re.findall(r"recado_\w+", trigger["metadata"]["query"])
    assert "recado_queue_oldest_message_age_seconds" in asked
    assert [name for name in asked if f'"{name}"' not in measured] == []
    assert float(trigger["metadata"]["threshold"]) == Settings.model_fields["workers_target_wait_s"].default


def test_bullmqs_manifests_are_the_same_with_other_settings() -> None:
    """As kustomize applies it: each patch replaces or adds one value of the ConfigMap that is there."""
    overlay = yaml.safe_load((DEPLOY / "kubernetes" / "bullmq" / "kustomization.yaml").read_text())
    assert overlay["resources"] == ["../"]
    [patch] = overlay["patches"]
    target = resource(patch["target"]["kind"], patch["target"]["name"])
    data = dict(target["data"])
    for change in yaml.safe_load(patch["patch"]):
        name = change["path"].removeprefix("/data/")
        assert (name in data) == (change["op"] == "replace")
        data[name] = change["value"]

    changed = {name: value for name, value in data.items() if target["data"].get(name) != value}
    assert changed == {"QUEUE_BACKEND": "bullmq", "BULLMQ_PREFIX": "bull"}
    assert {name.lower() for name in changed} <= set(Settings.model_fields)
