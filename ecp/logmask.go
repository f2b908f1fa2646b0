package ecp

import (
	"context"
)

// EMQX prints secrets: 4.4 its cookie with any error of its configuration, and at
// level info the secret of its API and the password of its dashboard. So the
// cluster's own secrets are taken out of whatever is shown of its logs.

// SecretTeller is a Provisioner that tells the secrets it has made for a cluster, so
// that they can be taken out of what is shown.
type SecretTeller interface {
	// Secrets gives the cookie, the keys and the passwords that were made for a
	// cluster; none where there is no cluster. An error is unavailable.
	Secrets(ctx context.Context, id ID) ([]Secret, error)
}
