package main

import (
	"fmt"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1/util"
)

// manifest is the text of one object, and the template that it comes from.
type manifest struct {
	source, text string
}

// render does what `helm template mangoes CHART --namespace films` does.
func render(folder string, values map[string]any) ([]manifest, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return nil, err
	}
	if err := chart.Validate(); err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities
	wanted, version := chart.Metadata.KubeVersion, capabilities.KubeVersion.Version
	if !chartutil.IsCompatibleRange(wanted, version) {
		return nil, fmt.Errorf("kubeVersion %s excludes %s", wanted, version)
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{
		Name: "mangoes", Namespace: "films", Revision: 1, IsInstall: true,
	}
	top, err := commonutil.ToRenderValues(chart, values, options, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, top)
	if err != nil {
		return nil, err
	}
	notes := path.Join(chart.Name(), "templates", "NOTES.txt")
	if strings.TrimSpace(files[notes]) == "" {
		return nil, fmt.Errorf("%s is empty", notes)
	}
	delete(files, notes)
	hooks, objects, err := release.SortManifests(files, nil, release.InstallOrder)
	if err != nil {
		return nil, err
	}
	var manifests []manifest
	for _, hook := range hooks {
		manifests = append(manifests, manifest{hook.Path, hook.Manifest})
	}
	for _, object := range objects {
		manifests = append(manifests, manifest{object.Name, object.Content})
	}
	return manifests, nil
}
