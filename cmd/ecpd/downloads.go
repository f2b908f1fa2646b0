package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
)

// downloadMayTake bounds one download: 12 MB at 20 KB/s.
const downloadMayTake = 10 * time.Minute

// sumsName is the file with the checksums of all programs, in the format of sha256sum.
const sumsName = "SHA256SUMS"

// aliasPath is where EMQX's own product serves the same files.
const aliasPath = adopt.DownloadPath + "emqx/agents/binaries/"

// downloads serves the agents' programs: the known names and no others. Checksums are
// computed from the files as they are, and not read from files beside them.
type downloads struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	sums map[string]checksum // guarded by mu; by name of the file
}

// checksum is that of a file as it was when it was read.
type checksum struct {
	of  os.FileInfo
	hex string
}

func newDownloads(dir string, log *slog.Logger) *downloads {
	return &downloads{dir: dir, log: log, sums: map[string]checksum{}}
}

// handler serves the downloads under both paths.
func (d *downloads) handler() http.Handler {
	mux := http.NewServeMux()
	for _, arch := range adopt.Architectures() {
		name := adopt.BinaryName(arch)
		for _, path := range []string{adopt.DownloadPath, aliasPath} {
			mux.HandleFunc("GET "+path+name, func(w http.ResponseWriter, r *http.Request) {
				d.serveProgram(w, r, name)
			})
			mux.HandleFunc("GET "+path+name+".sha256", func(w http.ResponseWriter, r *http.Request) {
				d.serveSums(w, r, name)
			})
		}
	}
	names := programNames()
	mux.HandleFunc("GET "+adopt.DownloadPath+sumsName, func(w http.ResponseWriter, r *http.Request) {
		d.serveSums(w, r, names...)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, pattern := mux.Handler(r)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, ecp.CodeUnsupported, "downloads take GET and HEAD")
		case pattern == "":
			problem(w, http.StatusNotFound, ecp.CodeNotFound,
				"there is no such download; there are "+strings.Join(names, ", ")+
					", each with .sha256 after its name, and "+sumsName)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func programNames() (out []string) {
	for _, arch := range adopt.Architectures() {
		out = append(out, adopt.BinaryName(arch))
	}
	return out
}

// notBuilt responds for a known program whose file is missing.
func notBuilt(w http.ResponseWriter) {
	problem(w, http.StatusNotFound, ecp.CodeNotFound, "this server does not have the agent's program; "+
		"who runs the server builds it with make agents, or sets agents.dir to the folder that it is in")
}

// serveProgram sends a program, or the requested part of it.
func (d *downloads) serveProgram(w http.ResponseWriter, r *http.Request, name string) {
	f, info, err := d.open(name)
	if err != nil {
		d.logFailure(r.Context(), name, err)
		notBuilt(w)
		return
	}
	defer func() { _ = f.Close() }() // nothing was written
	if sum, err := d.sum(name); err == nil {
		w.Header().Set("ETag", `"`+sum+`"`)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadMayTake)) // not every writer can
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// serveSums sends the checksums of the programs that are there.
func (d *downloads) serveSums(w http.ResponseWriter, r *http.Request, names ...string) {
	var b strings.Builder
	for _, name := range names {
		sum, err := d.sum(name)
		if err != nil {
			d.logFailure(r.Context(), name, err)
			continue
		}
		fmt.Fprintf(&b, "%s  %s\n", sum, name)
	}
	if b.Len() == 0 {
		notBuilt(w)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, b.String()) // the client has gone if this fails
}

// logFailure logs what is wrong with a file that exists.
func (d *downloads) logFailure(ctx context.Context, name string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		d.log.WarnContext(ctx, "an agent's program cannot be served", "file", filepath.Join(d.dir, name), "error", err)
	}
}

// open opens the file of a program. Anything but a regular file is an error.
func (d *downloads) open(name string) (*os.File, os.FileInfo, error) {
	file := filepath.Join(d.dir, name)
	if info, err := os.Stat(file); err != nil { // a pipe would block
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// sum returns the checksum of a program. A file is read again only when it has changed.
func (d *downloads) sum(name string) (string, error) {
	f, info, err := d.open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	d.mu.Lock()
	defer d.mu.Unlock() // so that two requests at once do not both read it
	if known, ok := d.sums[name]; ok && !changed(known.of, info) {
		return known.hex, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	d.sums[name] = checksum{info, sum}
	return sum, nil
}

// checksums returns the checksums of the programs that exist, by architecture.
func (d *downloads) checksums() map[string]string {
	out := map[string]string{}
	for _, arch := range adopt.Architectures() {
		if sum, err := d.sum(adopt.BinaryName(arch)); err == nil {
			out[arch] = sum
		}
	}
	return out
}
