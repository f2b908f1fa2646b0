package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// chartOwned are the settings that the chart and the base give by themselves, and those
// that have no place in a pod.
var chartOwned = []string{"listen", "dataDir", "dev", "secrets.keyFile", "secrets.key", "kubernetes.kubeconfig",
	"metrics.listen", "tls.cert", "tls.key", "bootstrapToken", "database.url", "database.passwordFile", "peers.listen",
	"peers.address"}

// property is a value in the chart's schema.
type property struct {
	Properties           map[string]property
	AdditionalProperties any
	Enum                 []string
}

// The chart takes each setting that is the user's to give, and refuses every other one.
func TestChartKnowsSettings(t *testing.T) {
	text, err := os.ReadFile("../../deploy/helm/ecpd/values.schema.json")
	require.NoError(t, err)
	var schema property
	require.NoError(t, json.Unmarshal(text, &schema))
	known := map[string]property{}
	var collect func(prefix string, p property)
	collect = func(prefix string, p property) {
		assert.Equal(t, false, p.AdditionalProperties, "others than those below %q are refused", prefix)
		for name, below := range p.Properties {
			if below.Properties != nil {
				collect(prefix+name+".", below)
			} else {
				known[prefix+name] = below
			}
		}
	}
	collect("", schema.Properties["config"])
	want := map[string]bool{}
	for _, s := range new(config).settings() {
		if s.key == "" || slices.Contains(chartOwned, s.key) {
			continue
		}
		want[s.key] = true
		if s.allowed != nil {
			got := slices.DeleteFunc(slices.Clone(known[s.key].Enum), func(v string) bool { return v == "" })
			assert.Equal(t, s.allowed, got, s.key)
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(known)))
}

// baseDaemon is the StatefulSet of deploy/kubernetes, as far as it is looked at here.
type baseDaemon struct {
	Kind string
	Spec struct {
		Replicas int
		Template struct {
			Spec struct {
				Containers []struct {
					Args []string
					Env  []struct{ Name string }
				}
			}
		}
	}
}

// The daemon understands what the base starts it with. That the chart says the same is
// tested in tools/chart.
func TestBaseStartsTheDaemon(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/daemon.yaml")
	require.NoError(t, err)
	document, _, _ := strings.Cut(string(text), "\n---\n")
	var d baseDaemon
	require.NoError(t, yaml.Unmarshal([]byte(document), &d))
	require.Equal(t, "StatefulSet", d.Kind)
	require.Equal(t, 1, d.Spec.Replicas, "a database has one daemon")
	require.Len(t, d.Spec.Template.Spec.Containers, 1)
	container := d.Spec.Template.Spec.Containers[0]
	require.Equal(t, "serve", container.Args[0])
	args := slices.Clone(container.Args[1:])
	keys := settingsFile(t, "first:"+strings.Repeat("A", 43)+"=\n")
	for i, arg := range args {
		switch name, _, _ := strings.Cut(arg, "="); name {
		case "--config":
			args[i] = name + "=../../deploy/kubernetes/ecpd.yaml"
		case "--secrets-key-file":
			args[i] = name + "=" + keys
		}
	}
	var environ []string
	for _, e := range container.Env {
		environ = append(environ, e.Name+"=0123456789abcdef0123456789abcdef")
	}
	c, warnings, err := configOf(t, args, environ)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.NoError(t, c.check())
	require.Equal(t, ":18180", c.listen)
	require.Equal(t, "/var/lib/ecpd", c.dataDir)
	require.NotEmpty(t, c.token)
}
