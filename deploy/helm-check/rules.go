package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

// workload is what makes pods.
type workload struct {
	name     string
	selector *metav1.LabelSelector
	pod      core.PodTemplateSpec
}

// selection is what selects pods of others; a budget is for one workload.
type selection struct {
	name     string
	selector *metav1.LabelSelector
	isBudget bool
	isPolicy bool
}

// rules are what every rendering has to keep, beside the types.
func rules(objects []runtime.Object) []error {
	var findings []error
	workloads, selections := sorted(objects)
	seen := map[string]bool{}
	for _, object := range objects {
		if name := title(object); seen[name] {
			findings = append(findings, fmt.Errorf("%s is there twice", name))
		} else {
			seen[name] = true
		}
		findings = append(findings, names(object)...)
	}
	for _, work := range workloads {
		findings = append(findings, pod(work)...)
	}
	return append(findings, selected(workloads, selections)...)
}

func sorted(objects []runtime.Object) (workloads []workload, selections []selection) {
	for _, object := range objects {
		name := title(object)
		switch object := object.(type) {
		case *apps.Deployment:
			spec := object.Spec
			workloads = append(workloads, workload{name, spec.Selector, spec.Template})
		case *batch.Job:
			workloads = append(workloads, workload{name, nil, object.Spec.Template})
		case *policy.PodDisruptionBudget:
			chosen := selection{name: name, selector: object.Spec.Selector, isBudget: true}
			selections = append(selections, chosen)
		case *networking.NetworkPolicy:
			chosen := selection{name: name, selector: &object.Spec.PodSelector, isPolicy: true}
			selections = append(selections, chosen)
		case *monitoring.PodMonitor:
			selections = append(selections, selection{name: name, selector: &object.Spec.Selector})
		}
	}
	return workloads, selections
}

// names checks names and labels, which the types take as any text; no secret is rendered.
func names(object runtime.Object) (findings []error) {
	named, err := meta.Accessor(object)
	if err != nil {
		return []error{err}
	}
	if _, is := object.(*core.Secret); is {
		findings = append(findings, fmt.Errorf("%s: secrets are given by name", title(object)))
	}
	for _, problem := range validation.IsDNS1123Label(named.GetName()) {
		findings = append(findings, fmt.Errorf("%s: name: %s", title(object), problem))
	}
	for key, value := range named.GetLabels() {
		problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)
		for _, problem := range problems {
			findings = append(findings, fmt.Errorf("%s: label %s: %s", title(object), key, problem))
		}
	}
	return findings
}

// pod checks that a pod is locked down, and that it has the files that its variables name.
func pod(work workload) (findings []error) {
	wrong := func(format string, values ...any) {
		findings = append(findings, fmt.Errorf("%s: %s", work.name, fmt.Sprintf(format, values...)))
	}
	spec := work.pod.Spec
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		wrong("its pod gets a token of the Kubernetes API")
	}
	own := spec.SecurityContext
	if own == nil || own.RunAsNonRoot == nil || !*own.RunAsNonRoot || own.SeccompProfile == nil ||
		own.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		wrong("its pod may run as root, or without a seccomp profile")
	}
	for _, volume := range spec.Volumes {
		if secret := volume.Secret; secret != nil && !forItsGroup(secret.DefaultMode) {
			wrong("its files of Secret %s are not for its own group alone", secret.SecretName)
		}
	}
	for _, container := range spec.Containers {
		if !lockedDown(container.SecurityContext) {
			wrong("container %s may write its root, gain rights or keep capabilities", container.Name)
		}
		if container.Resources.Limits.Memory().IsZero() {
			wrong("container %s has no limit of memory", container.Name)
		}
		for _, variable := range container.Env {
			if strings.HasSuffix(variable.Name, "_FILE") && !mounted(spec, variable.Value) {
				wrong("%s names %s, which no volume holds", variable.Name, variable.Value)
			}
		}
	}
	return findings
}

func forItsGroup(mode *int32) bool {
	return mode != nil && *mode == 0o440
}

func lockedDown(own *core.SecurityContext) bool {
	return own != nil && own.ReadOnlyRootFilesystem != nil && *own.ReadOnlyRootFilesystem &&
		own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation &&
		own.Capabilities != nil && slices.Contains(own.Capabilities.Drop, core.Capability("ALL"))
}

// mounted says whether a container of the pod finds a key of a secret at this path.
func mounted(spec core.PodSpec, file string) bool {
	for _, mount := range spec.Containers[0].VolumeMounts {
		for _, volume := range spec.Volumes {
			if volume.Name != mount.Name || volume.Secret == nil {
				continue
			}
			for _, item := range volume.Secret.Items {
				if path.Join(mount.MountPath, item.Path) == file {
					return true
				}
			}
		}
	}
	return false
}

// selected checks that every selector finds pods, a budget those of one workload, and that where
// there are network policies each pod has one.
func selected(workloads []workload, selections []selection) (findings []error) {
	protected := map[string]bool{}
	policies := 0
	for _, chosen := range selections {
		found := 0
		for _, work := range workloads {
			if matches(chosen.selector, work) {
				found++
				protected[work.name] = protected[work.name] || chosen.isPolicy
			}
		}
		if found == 0 || chosen.isBudget && found > 1 {
			findings = append(findings, fmt.Errorf("%s selects %d workloads", chosen.name, found))
		}
		if chosen.isPolicy {
			policies++
		}
	}
	for _, work := range workloads {
		if work.selector != nil && !matches(work.selector, work) {
			findings = append(findings, fmt.Errorf("%s does not select its own pods", work.name))
		}
		if policies > 0 && !protected[work.name] {
			findings = append(findings, fmt.Errorf("%s has no network policy", work.name))
		}
	}
	return findings
}

func matches(selector *metav1.LabelSelector, work workload) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(labels.Set(work.pod.Labels))
}
