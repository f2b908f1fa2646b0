package k8sprovisioner

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// certificateRow is the Secret with the certificate that mqtts and wss serve. The pod
// template names it and says nothing of its content: a renewed certificate reaches nodes that
// run. Kubernetes writes it into their files within about a minute, and Erlang looks after
// files of certificates that it keeps in memory every two minutes (ssl_pem_cache_clean,
// https://www.erlang.org/doc/apps/ssl/ssl_app.html), in EMQX 4.4 as in later ones
// (https://github.com/emqx/emqx/issues/3414; nobody changes that time here). Who connects from
// then on is served the new one; who is connected stays.
var certificateRow = secretRow{"-tls", annotationCertificate, corev1.SecretTypeTLS, certificateData}

// Where it is mounted: outside EMQX's own folders, as bootstrapDir.
const certificateDir = "/etc/openecp/certificate"

func certificateData(in input) map[string][]byte {
	if !in.servesOwn() || in.Certificate.Chain == "" {
		return nil
	}
	return map[string][]byte{
		corev1.TLSCertKey: []byte(in.Certificate.Chain), corev1.TLSPrivateKeyKey: []byte(in.Certificate.Key),
	}
}

// servesOwn reports whether a cluster has a certificate of its own. Pods follow
// from that and not from its content.
func (in input) servesOwn() bool { return in.Spec.Network.Certificate != "" }

func certificateVolume(in input) corev1.Volume {
	return secretVolume(volumeCertificate, certificateRow.name(in.ID))
}

// certificateMount mounts the whole folder: the kubelet does not renew files of a sub-path.
func certificateMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: volumeCertificate, MountPath: certificateDir, ReadOnly: true}
}

// The files by the settings of a listener.
var certificateFiles = []setting{
	{"keyfile", certificateDir + "/" + corev1.TLSPrivateKeyKey}, {"certfile", certificateDir + "/" + corev1.TLSCertKey},
}

// ownFiles are the settings of listeners with a certificate of the cluster; empty = none.
func (in input) ownFiles() []setting {
	if !in.servesOwn() {
		return nil
	}
	return certificateFiles
}

// certificateEnv are the variables that let listeners serve the files. They are in the pod
// template, as the files are: a node that was made before and starts again has neither. The
// setting for the authorities of clients' certificates stays that of the image, as none are
// asked for.
func certificateEnv(in input) (out []env) {
	for _, p := range mqttPorts {
		if hasCertificates(p) {
			for _, s := range in.ownFiles() {
				out = append(out, in.major.certificateEnv(in.major.listener[p.protocol], s))
			}
		}
	}
	return out
}

func certificateEnv4(listener string, s setting) env {
	return env{name: envName4(listener + "." + s.key), value: s.value}
}

// certificateEnv5 returns a value in HOCON.
func certificateEnv5(listener string, s setting) env {
	return env{name: envName4(listener + ".ssl_options." + s.key), value: strconv.Quote(s.value)}
}
