// Package chart renders the Helm chart and the kustomize base of ecpd as Helm and kustomize do.
package chart

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Namespace is the only one that the chart is installed in.
const Namespace = "openecp-system"

// Folders of the checkout, seen from this one.
const (
	Folder = "../../deploy/helm/ecpd"
	Base   = "../../deploy/kubernetes"
)

// Object is an object of Kubernetes as it stands in YAML.
type Object = map[string]any

// Load reads the chart.
func Load() (*chart.Chart, error) { return loader.LoadDir(Folder) }

// Render renders the chart with values given as YAML, without a look at any cluster, as a
// first install would. Notes are what Helm prints afterwards.
func Render(c *chart.Chart, namespace, values string) (objects []Object, notes string, err error) {
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		return nil, "", err
	}
	release := chartutil.ReleaseOptions{Name: "ecpd", Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, "", err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Base(name) == "NOTES.txt" {
			notes = files[name]
			continue
		}
		more, err := Documents(files[name])
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, more...)
	}
	return objects, notes, nil
}

// Documents reads the documents of a text, but for empty ones.
func Documents(text string) (objects []Object, err error) {
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var o Object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			return nil, fmt.Errorf("%w in:\n%s", err, document)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// BuildBase builds a kustomization as `kubectl kustomize` does.
func BuildBase(dir string) ([]Object, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	text, err := made.AsYaml()
	if err != nil {
		return nil, err
	}
	return Documents(string(text))
}

// Name is the kind and the name of an object.
func Name(o Object) string {
	meta, _ := o["metadata"].(map[string]any)
	return fmt.Sprintf("%v/%v", o["kind"], meta["name"])
}

// Text writes objects as one YAML.
func Text(objects []Object) (string, error) {
	var b strings.Builder
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return "", err
		}
		b.WriteString("---\n" + string(text))
	}
	return b.String(), nil
}
