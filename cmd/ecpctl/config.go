package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/internal/atomicfile"
	"sigs.k8s.io/yaml"
)

// configFile is what is kept between two calls: which servers there are, and how to log in
// to them. It holds tokens, so only its owner may read it.
type configFile struct {
	Current  string       `json:"current,omitempty"`
	Contexts []contextOne `json:"contexts"`
}

// contextOne is one server as one person or program uses it.
type contextOne struct {
	Name      string    `json:"name"`
	Server    string    `json:"server"`
	CAFile    string    `json:"caFile,omitempty"`
	Project   string    `json:"project,omitempty"`
	User      string    `json:"user,omitempty"`
	Token     string    `json:"token,omitempty"`
	TokenFile string    `json:"tokenFile,omitempty"` // read whenever a token is needed
	ExpiresAt time.Time `json:"expiresAt,omitzero"`  // of the session; zero = not known
}

// maxConfig bounds the file, in bytes.
const maxConfig = 1 << 20

// configName is the file's name.
func configName(named string, env func(string) string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir := env("XDG_CONFIG_HOME")
	if dir == "" {
		home := env("HOME")
		if home == "" {
			return "", errors.New("it is not known where contexts are kept: set HOME or ECPCTL_CONFIG")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "openecp", "config.yaml"), nil
}

// readConfig reads the file. One that is not there is an empty one. open reports that
// others may read it.
func readConfig(name string) (c configFile, open bool, err error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("read contexts: %w", err)
	}
	if info.Size() > maxConfig {
		return c, false, fmt.Errorf("read contexts: %s is no file of contexts: it is too large", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return c, false, fmt.Errorf("read contexts: %w", err)
	}
	if err := yaml.UnmarshalStrict(b, &c); err != nil {
		// The parser repeats lines of the file, which may hold a token.
		return c, false, fmt.Errorf("read contexts: %s is not YAML of contexts; mend it or remove it", name)
	}
	return c, info.Mode().Perm()&0o077 != 0, nil
}

// writeConfig replaces the file.
func writeConfig(name string, c configFile) error {
	b, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	if err := atomicfile.Write(name, b, 0o600); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return nil
}

// find returns the context of a name; nil if there is none.
func (c *configFile) find(name string) *contextOne {
	i := slices.IndexFunc(c.Contexts, func(one contextOne) bool { return one.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Contexts[i]
}

// put adds a context or replaces the one of its name.
func (c *configFile) put(one contextOne) {
	if old := c.find(one.Name); old != nil {
		*old = one
		return
	}
	c.Contexts = append(c.Contexts, one)
}

// names lists the contexts for people.
func (c *configFile) names() string {
	if len(c.Contexts) == 0 {
		return "there are none yet; make one with: ecpctl login SERVER"
	}
	var out []string
	for _, one := range c.Contexts {
		out = append(out, one.Name)
	}
	return "there are " + strings.Join(out, ", ")
}

// readToken reads a file that holds a token and nothing else.
func readToken(file string) (string, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxLine {
		err = errors.New("it is too large")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", fmt.Errorf("read the token from %s: %w", file, err)
	}
	return strings.TrimSpace(string(b)), nil
}
