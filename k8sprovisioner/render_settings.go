package k8sprovisioner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/internal/hocon"
	corev1 "k8s.io/api/core/v1"
)

// The spec's own settings of EMQX may hold passwords: they are in a Secret. Each
// version of them has keys of its own there, which the pod template names: nodes
// are replaced one at a time for new settings, and those whose turn has not come
// keep the old ones through restarts. So settings that EMQX refuses stop one node.

//
// Those that EMQX takes while it runs have one key for all nodes, which the template always
// names: the Manager has let EMQX take them before they are written there.

// Where settings are mounted for EMQX 5: outside EMQX's own folders, as
// bootstrapDir. emqx.conf includes the file.
const (
	settingsDir  = "/etc/openecp/settings"
	keySettings  = "settings.conf"
	settingsFile = settingsDir + "/" + keySettings
	keyRunTime   = "run-time.conf"
	runTimeFile  = settingsDir + "/" + keyRunTime
)

// settingsRow is the Secret with the settings of the spec.
var settingsRow = secretRow{"-settings", annotationSettings, corev1.SecretTypeOpaque, settingsData}

// settingsData returns one file for EMQX 5, and a variable for each setting for 4.4.
func settingsData(in input) map[string][]byte {
	out := map[string][]byte{}
	if in.readsRunTime() && len(in.RunTimeConfig) > 0 {
		out[keyRunTime] = []byte("## Written by OpenECP.\n" + settings5(in.RunTimeConfig))
	}
	switch {
	case len(in.Spec.Config) == 0 || !in.since(settingsInSecret):
		if len(out) == 0 {
			return nil
		}
		return out
	case in.major.configFile != "":
		out[in.settingsKey(keySettings)] = []byte(settings5(in.Spec.Config))
		return out
	}
	for key, value := range in.Spec.Config {
		out[in.settingsKey(envName4(key))] = []byte(value)
	}
	return out
}

// readsRunTime reports whether nodes read settings beside those that their pods are made from.
// EMQX 4.4 takes none while it runs.
func (in input) readsRunTime() bool { return in.major.configFile != "" && in.since(runTimeSettings) }

// RunTimeConfig reports whether nodes that are rendered in a version read such settings.
func (p *Provisioner) RunTimeConfig(renderVersion int) bool { return renderVersion >= runTimeSettings }

func settings5(config map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(config)) {
		b.WriteString(key + " = " + hocon.Value(config[key]) + "\n")
	}
	return b.String()
}

// settingsKey returns the Secret's key for a part of this version of the settings.
func (in input) settingsKey(part string) string { return in.settings + "." + part }

// settingsVersion returns a hash of the settings. It is keyed, as those of Secrets are,
// since accounts can read it that may not read Secrets.
func settingsVersion(in input, key []byte) string {
	b, err := json.Marshal(in.Spec.Config)
	if err != nil {
		return "" // texts always encode
	}
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// settingsVolume renders the volume with the files for EMQX 5.
func settingsVolume(in input) corev1.Volume {
	v := secretVolume(volumeSettings, settingsRow.name(in.ID))
	if len(in.Spec.Config) > 0 {
		v.Secret.Items = append(v.Secret.Items, corev1.KeyToPath{Key: in.settingsKey(keySettings), Path: keySettings})
	}
	if in.readsRunTime() { // there may be none yet
		v.Secret.Items = append(v.Secret.Items, corev1.KeyToPath{Key: keyRunTime, Path: keyRunTime})
		v.Secret.Optional = new(true)
	}
	return v
}

// settingsEnv returns the variables for EMQX 4.4. They override those of the ConfigMap.
func settingsEnv(in input) []corev1.EnvVar {
	if in.major.configFile != "" || !settingsRow.wanted(in) {
		return nil
	}
	var out []corev1.EnvVar
	for _, key := range slices.Sorted(maps.Keys(in.Spec.Config)) {
		name := envName4(key)
		out = append(out, secretEnv(name, settingsRow.name(in.ID), in.settingsKey(name)))
	}
	return out
}

// keepSettings returns the Secret that is about to be written with the keys that pods of
// earlier settings still read from it: without them these pods could not start again.
func (f clusterObjects) keepSettings(o object, was *corev1.Secret) object {
	data, _ := o.body["data"].(map[string]any)
	kept := maps.Clone(data)
	for _, pod := range f.pods() {
		for _, key := range secretKeys(pod.Spec, o.name) {
			if value, there := was.Data[key]; there && data[key] == nil {
				kept[key] = base64.StdEncoding.EncodeToString(value)
			}
		}
	}
	o.body = maps.Clone(o.body)
	o.body["data"] = kept
	return o
}

// secretKeys returns the keys of a Secret that a pod names.
func secretKeys(s corev1.PodSpec, secret string) (out []string) {
	for _, v := range s.Volumes {
		if v.Secret != nil && v.Secret.SecretName == secret {
			for _, item := range v.Secret.Items {
				out = append(out, item.Key)
			}
		}
	}
	for _, c := range s.Containers {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == secret {
				out = append(out, e.ValueFrom.SecretKeyRef.Key)
			}
		}
	}
	return out
}
