package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// record is cluster.json.
type record struct {
	Generation int64                `json:"generation"`
	ChangeID   string               `json:"changeId,omitempty"`
	Manifest   string               `json:"manifest,omitempty"` // the Manager's text, kept for it
	Replicas   int                  `json:"replicas"`           // nodes that should run
	Image      ecp.Image            `json:"image"`
	Major      int                  `json:"major"`    // of EMQX; 0 = nothing was applied yet
	Revision   string               `json:"revision"` // of what nodes are started with
	Network    ecp.Network          `json:"network"`
	Ports      map[ecp.Protocol]int `json:"ports,omitempty"` // outside; once given, kept
	// nodes below it had a data directory, and are meant to have one
	Volumes int `json:"volumes"`
}

// auth is auth.json.
type auth struct {
	UID      string `json:"uid"`
	Username string `json:"username"`
	Password string `json:"password"`
}

const (
	recordFile = "cluster.json"
	authFile   = "auth.json"
	uidFile    = "uid" // in a data directory
	firstPort  = 30000
)

// errForeign says that a directory has no cluster.json.
var errForeign = errors.New("not made by this program")

const volumePrefix = "data-"

func volumeName(ordinal int) string { return volumePrefix + strconv.Itoa(ordinal) }

func (h *host) path(id ecp.ID, rest ...string) string {
	return filepath.Join(append([]string{h.dir, string(id)}, rest...)...)
}

// load reads a cluster's record: errForeign where the directory is somebody
// else's, fs.ErrNotExist where there is none. A host whose own directory is
// away knows neither.
func (h *host) load(id ecp.ID) (record, error) {
	if !id.Valid() {
		return record{}, fs.ErrNotExist
	}
	if _, err := os.Stat(h.dir); err != nil {
		//nolint:errorlint // a missing disk is no missing cluster
		return record{}, fmt.Errorf("look at the directory of the clusters: %v", err)
	}
	var rec record
	err := readJSON(h.path(id, recordFile), &rec)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(h.path(id)); err == nil {
			return record{}, errForeign
		}
	}
	return rec, err
}

// save writes a cluster's record. A new directory is put in place at once and
// with the record in it, so that it never looks like somebody else's.
func (h *host) save(id ecp.ID, rec record) error {
	if _, err := os.Stat(h.path(id)); err == nil {
		return h.writeJSON(h.path(id, recordFile), rec)
	}
	fresh := filepath.Join(h.dir, ".new-"+string(id)+"-"+newUID())
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	if err := h.writeJSON(filepath.Join(fresh, recordFile), rec); err != nil {
		return err
	}
	return os.Rename(fresh, h.path(id))
}

func (h *host) auth(id ecp.ID) (auth, error) {
	var a auth
	err := readJSON(h.path(id, authFile), &a)
	return a, err
}

func (h *host) makeAuth(id ecp.ID) error {
	if _, err := h.auth(id); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return h.writeJSON(h.path(id, authFile), auth{UID: newUID(), Username: "openecp", Password: rand.Text()})
}

// volume returns what identifies the data of a node.
func (h *host) volume(id ecp.ID, ordinal int) (string, error) {
	b, err := os.ReadFile(h.path(id, volumeName(ordinal), uidFile))
	return string(b), err
}

func (h *host) makeVolume(id ecp.ID, ordinal int) error {
	if _, err := h.volume(id, ordinal); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(h.path(id, volumeName(ordinal)), 0o700); err != nil {
		return err
	}
	return h.write(h.path(id, volumeName(ordinal), uidFile), []byte(newUID()))
}

// volumes lists the ordinals that have a data directory, in order.
func (h *host) volumes(id ecp.ID) []int {
	var out []int
	names, _ := filepath.Glob(h.path(id, volumePrefix+"*")) // the pattern is a good one
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(name), volumePrefix)); err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// dropVolume removes the data of a node. The directory is renamed first: half
// of it would look like a whole one.
func (h *host) dropVolume(id ecp.ID, ordinal int) error {
	if _, err := os.Stat(h.path(id, volumeName(ordinal))); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	h.writes++
	away := filepath.Join(h.dir, ".dropped-"+string(id)+"-"+newUID())
	return errors.Join(os.Rename(h.path(id, volumeName(ordinal)), away), os.RemoveAll(away))
}

// ids lists the clusters that are there.
func (h *host) ids() ([]ecp.ID, error) {
	entries, err := os.ReadDir(h.dir)
	var out []ecp.ID
	for _, e := range entries {
		if id := ecp.ID(e.Name()); id.Valid() && e.IsDir() {
			out = append(out, id)
		}
	}
	return out, err
}

// sweep removes directories that were being made or removed when a run was
// killed: their names begin with a dot.
func sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, ".*-emqx-*"))
	for _, name := range left {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// openPorts finds for every listener a port outside that no other cluster has,
// where it has none yet.
func (h *host) openPorts(id ecp.ID, rec *record) error {
	if rec.Network.Type != ecp.NodePort {
		return nil
	}
	ids, err := h.ids()
	if err != nil {
		return err
	}
	taken := map[int]bool{}
	for _, other := range ids {
		r := *rec
		if other != id {
			if r, err = h.load(other); err != nil {
				continue // not ours
			}
		}
		for _, port := range r.Ports {
			taken[port] = true
		}
	}
	if rec.Ports == nil {
		rec.Ports = map[ecp.Protocol]int{}
	}
	port := firstPort
	for _, l := range rec.Network.Listeners {
		for rec.Ports[l.Protocol] == 0 {
			if !taken[port] {
				rec.Ports[l.Protocol] = port
			}
			port++
		}
	}
	return nil
}

func (r record) endpoints() ecp.Endpoints {
	e := ecp.Endpoints{Internal: ecp.InternalEndpoint{Host: "localhost"}}
	for _, l := range r.Network.Listeners {
		e.Internal.Ports = append(e.Internal.Ports, ecp.EndpointPort(l))
		if r.Network.Type == ecp.NodePort {
			e.External = append(e.External,
				ecp.ExternalEndpoint{Protocol: l.Protocol, Host: "localhost", Port: r.Ports[l.Protocol]})
		}
	}
	return e
}

// revision identifies what nodes are started with.
func revision(d ecp.Desired) string {
	sum := sha256.Sum256(fmt.Append(nil, d.Image.Reference, d.Size.CPU, d.Size.Memory, d.Restarts))
	return hex.EncodeToString(sum[:5])
}

func newUID() string { return strings.ToLower(rand.Text()) }

func readJSON(name string, into any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (h *host) writeJSON(name string, value any) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return h.write(name, append(b, '\n'))
}

// write puts a file in place whole, unless it is as it should be.
func (h *host) write(name string, content []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	h.writes++
	fresh := name + ".new"
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, name)
}
