package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// uid is the user and group of images: no name, and not root.
const uid = 65532

// image is one that is made for each architecture.
type image struct {
	name   string
	files  func(r release, arch string) []file // all of them built
	state  string                              // folder that the user may write to, a volume
	config v1.Config
}

var imagesMade = []image{
	{
		name: "ecpd", state: "/var/lib/ecpd",
		files: func(r release, arch string) []file {
			return append(r.downloads("usr/lib/ecpd/agents/"), file{from: arch + "/ecpd", to: "usr/bin/ecpd", mode: 0o755})
		},
		config: v1.Config{
			Entrypoint: []string{"/usr/bin/ecpd"}, Cmd: []string{"serve"},
			// Loopback of a container is reached by nobody.
			Env:          []string{"ECPD_AGENTS_DIR=/usr/lib/ecpd/agents", "ECPD_LISTEN=0.0.0.0:18180"},
			ExposedPorts: map[string]struct{}{"18180/tcp": {}},
		},
	},
	{
		name: "emqxee-agent", state: "/var/lib/emqxee-agent",
		files: func(_ release, arch string) []file {
			return []file{{from: "agents/emqxee-agent-linux-" + arch, to: "usr/bin/emqxee-agent", mode: 0o755}}
		},
		config: v1.Config{
			Entrypoint: []string{"/usr/bin/emqxee-agent"}, Cmd: []string{"run"},
			Env: []string{"EMQXEE_AGENT_HOME=/var/lib/emqxee-agent"},
		},
	},
}

// images makes each image, as NAME-VERSION.oci, a layout with all architectures, and for each
// architecture as NAME-VERSION-linux-ARCH.tar, which docker load and podman load take.
func (r release) images(_ context.Context, built string) error {
	for _, m := range imagesMade {
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, arch := range r.daemons() {
			img, err := r.image(m, built, arch)
			if err != nil {
				return fmt.Errorf("make the image %s for %s: %w", m.name, arch, err)
			}
			platform := &v1.Platform{OS: "linux", Architecture: arch}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
				Descriptor: v1.Descriptor{Platform: platform}})
			tag, err := name.NewTag("openecp/" + m.name + ":" + r.version)
			if err != nil {
				return err
			}
			to := filepath.Join(r.out, m.name+"-"+r.version+"-linux-"+arch+".tar")
			if err := tarball.WriteToFile(to, tag, img); err != nil {
				return fmt.Errorf("write %s: %w", to, err)
			}
		}
		if _, err := layout.Write(filepath.Join(r.out, m.name+"-"+r.version+".oci"), index); err != nil {
			return fmt.Errorf("write the layout of %s: %w", m.name, err)
		}
	}
	return nil
}

// image makes an image with one layer for what hardly changes and one for the program.
func (r release) image(m image, built, arch string) (v1.Image, error) {
	base := tree{date: r.date}
	user := fmt.Sprintf("nonroot:x:%d:%d:nonroot:%s:/sbin/nologin\n", uid, uid, m.state)
	base.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\n"+user))
	base.file("etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", uid))
	base.file("etc/ssl/certs/ca-certificates.crt", 0o644, authorities())
	base.folder("tmp", 0o1777, 0)
	base.folder(strings.TrimPrefix(m.state, "/"), 0o700, uid)
	program := tree{date: r.date}
	for _, f := range m.files(r, arch) {
		b, err := os.ReadFile(filepath.Join(built, f.from))
		if err != nil {
			return nil, err
		}
		program.file(f.to, f.mode, b)
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, t := range []*tree{&base, &program} {
		layer, err := t.layer()
		if err != nil {
			return nil, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer,
			History: v1.History{Created: v1.Time{Time: r.date}, CreatedBy: "openecp dist"}}); err != nil {
			return nil, err
		}
	}
	c := *m.config.DeepCopy()
	c.User = fmt.Sprintf("%d:%d", uid, uid)
	c.WorkingDir = "/"
	c.Volumes = map[string]struct{}{m.state: {}}
	c.Labels = map[string]string{
		"org.opencontainers.image.title": m.name, "org.opencontainers.image.version": r.version,
		"org.opencontainers.image.revision": r.commit, "org.opencontainers.image.created": r.date.Format(time.RFC3339),
		"org.opencontainers.image.source":   "https://github.com/openecp/openecp",
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created, file.Config = "linux", arch, v1.Time{Time: r.date}, c
	return mutate.ConfigFile(img, file)
}

// authorities are the certificates of Mozilla's list, in PEM.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a list in PEM cannot say it
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return b.Bytes()
}

// tree is what a layer has in it. Folders come before what is in them, once each.
type tree struct {
	date    time.Time
	flat    bool // files only
	buf     bytes.Buffer
	folders []string
	err     error
}

func (t *tree) file(to string, mode os.FileMode, content []byte) {
	t.parents(to)
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: int64(mode), Size: int64(len(content))}, content)
}

func (t *tree) folder(to string, mode int64, owner int) {
	t.parents(to)
	t.folders = append(t.folders, to)
	t.add(&tar.Header{Typeflag: tar.TypeDir, Name: to + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (t *tree) parents(to string) {
	dir := path.Dir(to)
	if t.flat || dir == "." || slices.Contains(t.folders, dir) {
		return
	}
	t.folder(dir, 0o755, 0)
}

func (t *tree) add(h *tar.Header, content []byte) {
	h.ModTime, h.Format = t.date, tar.FormatPAX
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(h)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Flush()
	}
	if t.err == nil {
		t.err = err
	}
	t.buf.Write(b.Bytes())
}

// bytes returns the whole archive.
func (t *tree) bytes() ([]byte, error) {
	return append(slices.Clone(t.buf.Bytes()), make([]byte, 1024)...), t.err
}

func (t *tree) layer() (v1.Layer, error) {
	content, err := t.bytes()
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer))
}
