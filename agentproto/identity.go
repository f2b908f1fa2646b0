package agentproto

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Identity is what an agent keeps from its registration. Key is secret. Only
// [WriteIdentity] writes it; printing an identity, or encoding it as JSON or text,
// leaves it out.
type Identity struct {
	Agent   string             // the id that the server assigned
	Key     ed25519.PrivateKey // made by the agent; never sent
	Cluster string             // what it was registered for; shown to people

	Server     string // URL that the agent dials
	ServerName string // what the agent signs: the server's own name for itself

	// Authorities are certificates of CAs (DER) that the agent trusts to sign the
	// server's certificate. CASHA256 are fingerprints of such CAs, in hex, from a person
	// or from an announcement of the server. If CASHA256 is empty, the agent also
	// trusts the CAs of the operating system.
	Authorities [][]byte
	CASHA256    []string

	// LastServerTime is the latest time that a trusted server has told. A clock that is
	// behind it is wrong.
	LastServerTime time.Time
}

// String returns the identity without its key.
func (id Identity) String() string {
	return fmt.Sprintf("identity of agent %s at %s (key redacted)", id.Agent, id.Server)
}

// Format prints the identity without its key, for every verb.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(id.String())) }

// MarshalText returns the identity without its key.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalJSON encodes the identity without its key. It cannot be decoded again.
func (id Identity) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"agent": id.Agent, "cluster": id.Cluster, "server": id.Server, "serverName": id.ServerName,
		"caSha256": id.CASHA256, "lastServerTime": id.LastServerTime,
	})
}

// identityVersion is the version of the file. A newer file is refused: this
// program would lose what it does not know.
const identityVersion = 1

// maxIdentity bounds the file, in bytes.
const maxIdentity = 256 << 10

// identityFile is an identity as it is stored, with its key.
type identityFile struct {
	Version        int       `json:"version"`
	Agent          string    `json:"agent"`
	Key            []byte    `json:"key"` // the seed, 32 bytes
	Cluster        string    `json:"cluster,omitempty"`
	Server         string    `json:"server"`
	ServerName     string    `json:"serverName"`
	Authorities    [][]byte  `json:"authorities,omitempty"`
	CASHA256       []string  `json:"caSha256,omitempty"`
	LastServerTime time.Time `json:"lastServerTime,omitzero"`
}

// encodeIdentity returns the content of the file.
func encodeIdentity(id Identity) ([]byte, error) {
	if err := checkIdentity(id); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(identityFile{
		Version: identityVersion, Agent: id.Agent, Key: id.Key.Seed(), Cluster: id.Cluster, Server: id.Server,
		ServerName:  id.ServerName,
		Authorities: id.Authorities, CASHA256: id.CASHA256, LastServerTime: id.LastServerTime,
	}, "", "  ")
	return append(raw, '\n'), err
}

// decodeIdentity reads the content of the file. Errors hold no part of it.
func decodeIdentity(raw []byte) (Identity, error) {
	var f identityFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return Identity{}, errors.New("it is damaged: not the JSON of an identity")
	}
	if f.Version > identityVersion {
		return Identity{}, fmt.Errorf("it was written by a newer program (version %d, this one knows %d)", f.Version,
			identityVersion)
	}
	if f.Version < 1 || len(f.Key) != ed25519.SeedSize {
		return Identity{}, errors.New("it is damaged: no version, or no key")
	}
	id := Identity{
		Agent: f.Agent, Key: ed25519.NewKeyFromSeed(f.Key), Cluster: f.Cluster, Server: f.Server,
		ServerName:  f.ServerName,
		Authorities: f.Authorities, CASHA256: f.CASHA256, LastServerTime: f.LastServerTime,
	}
	return id, checkIdentity(id)
}

// checkIdentity returns an error if an identity cannot be used.
func checkIdentity(id Identity) error {
	if !validID(id.Agent) {
		return errors.New("the identity has no valid agent id")
	}
	if len(id.Key) != ed25519.PrivateKeySize {
		return errors.New("the identity has no key")
	}
	if id.ServerName == "" {
		return errors.New("the identity has no name of a server")
	}
	if y := id.LastServerTime.Year(); y < 1 || y > 9999 {
		return errors.New("the identity has a time that is none")
	}
	if _, err := ParseServerURL(id.Server); err != nil {
		return err
	}
	if _, err := parseFingerprints(id.CASHA256); err != nil {
		return err
	}
	_, err := parseAuthorities(id.Authorities)
	return err
}

// maxAuthorities is how many certificates one server may announce.
const maxAuthorities = 8

// parseAuthorities parses certificates of CAs.
func parseAuthorities(raw [][]byte) ([]*x509.Certificate, error) {
	if len(raw) > maxAuthorities {
		return nil, fmt.Errorf("%d certificates of authorities are more than %d", len(raw), maxAuthorities)
	}
	var out []*x509.Certificate
	for i, der := range raw {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the authorities: %w", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}
