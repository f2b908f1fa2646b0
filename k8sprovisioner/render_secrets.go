package k8sprovisioner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
)

// secretRow is a Secret that is rendered from what the Manager knows. Unlike the auth
// Secret it is created again after a loss, and deleted when it is no longer wanted.
type secretRow struct {
	suffix     string // of its name
	annotation string // on the ConfigMap
	kind       corev1.SecretType
	data       func(in input) map[string][]byte // nil if it is not wanted
}

var (
	licenseRow = secretRow{"-license", annotationLicense, corev1.SecretTypeOpaque, licenseData}
	pullRow    = secretRow{"-pull", annotationPull, corev1.SecretTypeDockerConfigJson, pullData}
	secretRows = []secretRow{licenseRow, pullRow, settingsRow, certificateRow}
)

func (r secretRow) name(id ecp.ID) string { return string(id) + r.suffix }
func (r secretRow) wanted(in input) bool  { return r.data(in) != nil }

// Where the license is mounted: outside EMQX's own folders, as bootstrapDir.
const (
	licenseDir  = "/etc/openecp/license"
	keyLicense  = "emqx.lic"
	licenseFile = licenseDir + "/" + keyLicense
)

// licenseData returns the file that EMQX reads. EMQX 4.4 takes a license file unchanged,
// and EMQX 5 a key without a newline.
func licenseData(in input) map[string][]byte {
	text := string(in.License)
	if in.major.number >= 5 {
		text = strings.TrimSpace(text)
	}
	if text == "" {
		return nil
	}
	return map[string][]byte{keyLicense: []byte(text)}
}

// dockerHub is how images name Docker's own registry, and dockerHubKey how
// registry credentials do.
const (
	dockerHub    = "docker.io"
	dockerHubKey = "https://index.docker.io/v1/"
)

// pullData returns Docker's configuration file for the kubelet.
func pullData(in input) map[string][]byte {
	host, user, password := in.Pull.Host, in.Pull.User, string(in.Pull.Password)
	switch host {
	case "":
		return nil
	case dockerHub:
		host = dockerHubKey
	}
	b, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{
		"username": user, "password": password,
		"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
	}}})
	if err != nil {
		return nil // texts always encode
	}
	return map[string][]byte{corev1.DockerConfigJsonKey: b}
}

// render returns a Secret that is wanted. Its hash is keyed, so that passwords cannot be
// tried against it by an account that reads annotations but no Secrets.
func (r secretRow) render(in input, key []byte) (object, error) {
	o, err := encoded(&corev1.Secret{ObjectMeta: meta(in, r.name(in.ID)), Type: r.kind, Data: r.data(in)})
	if err != nil {
		return o, err
	}
	h := hmac.New(sha256.New, key)
	h.Write(o.json())
	o.setHash(h.Sum(nil)[:8])
	return o, nil
}
