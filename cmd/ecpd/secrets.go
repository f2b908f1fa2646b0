package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/atomicfile"
)

// keysForm describes the form of keys in errors, which never contain a key.
const keysForm = `give ID:KEY, the newest first, with spaces, commas or line ends between several; ` +
	`KEY is 32 random bytes in base64, as "openssl rand -base64 32" makes them`

// sealing returns what encrypts secrets in the database with the configured keys, and
// nil if there are none.
func (c *config) sealing() (ecp.Sealer, error) {
	switch {
	case c.secretsKey != "":
		return keyRing(string(c.secretsKey), c.at("secrets-key"))
	case c.secretsKeyFile != "":
		return keyRingOf(c.secretsKeyFile, c.at("secrets-key-file"))
	}
	return nil, nil
}

// newSealer returns the configured sealer. Without keys no secret can be stored, but with
// --dev the first start makes a key.
func newSealer(c config) (ecp.Sealer, error) {
	if sealer, err := c.sealing(); sealer != nil || err != nil || !c.dev {
		return sealer, err
	}
	file := filepath.Join(c.dataDir, "secrets.key")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		b := make([]byte, 32)
		rand.Read(b) // never fails: the program ends instead
		content := []byte("dev:" + base64.StdEncoding.EncodeToString(b) + "\n")
		if err := atomicfile.Write(file, content, 0o600); err != nil {
			return nil, fmt.Errorf("keep the key of secrets: %w", err)
		}
	}
	return keyRingOf(file, file)
}

func keyRingOf(file, at string) (ecp.Sealer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return keyRing(string(b), at)
}

func keyRing(text, at string) (ecp.Sealer, error) {
	var keys []ecp.Key
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == ',' }) {
		id, key, _ := strings.Cut(word, ":")
		secret, err := base64.StdEncoding.DecodeString(key)
		if err != nil || len(secret) != 32 {
			return nil, fmt.Errorf("%s: key %d is not well-formed; %s", at, len(keys)+1, keysForm)
		}
		keys = append(keys, ecp.Key{ID: id, Secret: secret})
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key; %s", at, keysForm)
	}
	ring, err := ecp.NewKeyRing(keys...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return ring, nil
}

// reseal encrypts again what an older key has encrypted, so that the key can be removed
// before a later start. What cannot be decrypted stays as it is.
func reseal(ctx context.Context, m *fleet.Manager, keyed bool, log *slog.Logger) {
	n, err := m.ResealSecrets(ecp.WithActor(ctx, ecp.System))
	if err != nil && !keyed {
		log.WarnContext(ctx, "the database holds encrypted secrets, and no key is configured: "+
			"what needs them does not work; give --secrets-key-file with the old keys", "error", err)
	} else if err != nil {
		log.WarnContext(ctx, "some secrets could not be encrypted with the newest key; keep the old keys", "error", err)
	} else if n > 0 {
		log.InfoContext(ctx, "secrets encrypted with the newest key", "count", n)
	}
}
