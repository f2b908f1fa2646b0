package k8sprovisioner

import (
	"crypto/rand"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Keys of the auth Secret.
const (
	keyCookie    = "cookie"             // Erlang's shared secret
	keyAPIKey    = "api-key"            // name of the API key (v5) or application (v4)
	keyAPISecret = "api-secret"         // its secret
	keyDashboard = "dashboard-password" // of the dashboard's user "admin"
	keyBootstrap = "bootstrap"          // "key:secret", the file EMQX reads the API key from
)

func uid(s string) types.UID { return types.UID(s) }

// authSecret returns the Secret of a new cluster with random values. It is created once,
// and the process does not keep the values.
func authSecret(id ecp.ID) *corev1.Secret {
	key, secret := randomWord(16), randomWord(48)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: authName(id), Namespace: string(id), Labels: labels(id)},
		Type:       corev1.SecretTypeOpaque,
		StringData: map[string]string{
			keyCookie: randomWord(48), keyAPIKey: key, keyAPISecret: secret, keyDashboard: randomWord(32),
			keyBootstrap: key + ":" + secret + "\n",
		},
	}
}

const (
	letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
	digits  = "23456789"
)

// randomWord returns n random letters and digits, of at least 5.8 bits each. It begins
// with a letter, so that HOCON and Erlang read it as a plain word, and ends with a digit,
// since EMQX wants two kinds of characters in a password.
func randomWord(n int) string {
	b := make([]byte, n)
	b[0] = randomCharacter(letters)
	for i := 1; i < n-1; i++ {
		b[i] = randomCharacter(letters + digits)
	}
	b[n-1] = randomCharacter(digits)
	return string(b)
}

// randomCharacter returns one of the characters, all with the same probability.
func randomCharacter(from string) byte {
	limit := 256 - 256%len(from)
	for {
		var b [1]byte
		rand.Read(b[:]) // never fails: the program ends instead
		if int(b[0]) < limit {
			return from[int(b[0])%len(from)]
		}
	}
}
