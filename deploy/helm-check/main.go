// Checks the Helm chart without helm and without a cluster: go run . ../helm/mangoes
//
// Renders the chart as `helm template` does, with its own values and with those of values/, and
// decodes every object strictly as a type of the Kubernetes API: an unknown or doubled field is an
// error. Checks what types do not say (rules.go), and that values.schema.json refuses wrong values.
// Prints a line for each object; the exit code is 1 where something is wrong.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// refused are values that values.schema.json has to refuse.
var refused = []string{
	"natsReplicas: 2",
	"natsReplica: 3",
	"image: {repository: ''}",
	"image: {tag: latest}",
	"secret: {name: null}",
	"secret: {databaseUrl: 'postgres://u:p@h/d'}",
	"services: {outbox: {replicas: 1, resources: {}}}",
	"services: {ingest: {replicas: two}}",
	"settings: {DATABASE_URL: 'postgres://u:p@h/d'}",
	"settings: {TMDB_RTAE: 40}",
	"networkPolicy: {postgres: {port: '5432'}}",
	"podMonitor: {interval: often}",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: helm-check CHART")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(chart string) error {
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	files, err := filepath.Glob("values/*.yaml")
	if err != nil {
		return err
	}
	findings := []error{checkValues(chart, "values.yaml", "")}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		findings = append(findings, checkValues(chart, file, string(text)))
	}
	for _, text := range refused {
		findings = append(findings, checkRefused(chart, text))
	}
	return errors.Join(findings...)
}

// checkValues renders the chart with these values and checks every object.
func checkValues(chart, name, text string) error {
	values, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	manifests, err := render(chart, values)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var findings []error
	var objects []runtime.Object
	for _, manifest := range manifests {
		object, err := decode(manifest.text)
		if err != nil {
			findings = append(findings, fmt.Errorf("%s: %s: %w", name, manifest.source, err))
			continue
		}
		fmt.Printf("%s: %s\n", name, title(object))
		objects = append(objects, object)
	}
	for _, broken := range rules(objects) {
		findings = append(findings, fmt.Errorf("%s: %w", name, broken))
	}
	return errors.Join(findings...)
}

func checkRefused(chart, text string) error {
	values, err := parse(text)
	if err != nil {
		return err
	}
	_, err = render(chart, values)
	if err == nil || !strings.Contains(err.Error(), "specifications of the schema") {
		return fmt.Errorf("values.schema.json does not refuse %s: %v", text, err)
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	fmt.Printf("refused: %s: %s\n", text, strings.TrimLeft(lines[len(lines)-1], "- "))
	return nil
}

func parse(text string) (map[string]any, error) {
	values := map[string]any{}
	return values, yaml.UnmarshalStrict([]byte(text), &values)
}

// decode reads an object as the API server would with strict validation of fields.
func decode(text string) (runtime.Object, error) {
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode([]byte(text), nil, nil)
	if err == nil {
		return object, nil
	}
	var head struct {
		Kind     string
		Metadata struct{ Name string }
	}
	// A text that is no object has no name to tell.
	_ = yaml.Unmarshal([]byte(text), &head)
	return nil, fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
}

// title is an object's kind and name, and at which hook it is made.
func title(object runtime.Object) string {
	words := []string{object.GetObjectKind().GroupVersionKind().Kind}
	named, err := meta.Accessor(object)
	if err != nil {
		return words[0]
	}
	words = append(words, named.GetName())
	if hook, is := named.GetAnnotations()["helm.sh/hook"]; is {
		weight := named.GetAnnotations()["helm.sh/hook-weight"]
		words = append(words, fmt.Sprintf("(%s, weight %s)", hook, weight))
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}
