package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // the formats
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// file is one of a package.
type file struct {
	from  string // below the checkout, or below the folder of what was built where built says so
	built bool
	to    string
	mode  os.FileMode
	kind  string // of nfpm; empty is a plain file
	only  string // format that it is for; empty is all
}

// pack is a package of Debian and RPM.
type pack struct {
	name, summary string
	small         bool                // made for arm, too
	scripts       string              // folder with postinst, prerm and postrm, below the checkout; may be empty
	needs         map[string][]string // packages by format
	files         func(r release, arch string) []file
}

// whole is the type of a folder that belongs to a package.
const whole = files.TypeDir

var packs = []pack{
	{
		name: "ecpd", scripts: "deploy/packages/ecpd",
		needs: map[string][]string{"deb": {"passwd"}, "rpm": {"shadow-utils"}}, // for useradd
		summary: "daemon that manages fleets of EMQX clusters\n" +
			"OpenECP deploys EMQX on Kubernetes, and adopts clusters that run elsewhere by an\n" +
			"agent that dials out. ecpd serves its JSON API.",
		files: func(r release, arch string) []file {
			return append(r.downloads("/usr/lib/ecpd/agents/"), []file{
				{from: arch + "/ecpd", built: true, to: "/usr/bin/ecpd", mode: 0o755},
				{from: "ecpd.service", built: true, to: "/usr/lib/systemd/system/ecpd.service", mode: 0o644},
				{to: "/etc/ecpd", kind: whole, mode: 0o750},
				{from: "deploy/ecpd.yaml", to: "/etc/ecpd/ecpd.yaml", mode: 0o640, kind: files.TypeConfigNoReplace},
				{from: "deploy/kubernetes/rights.yaml", to: "/usr/share/ecpd/kubernetes/rights.yaml", mode: 0o644},
				{from: "deploy/kubernetes/admission.yaml", to: "/usr/share/ecpd/kubernetes/admission.yaml", mode: 0o644},
				{from: "deploy/kubernetes/daemon.yaml", to: "/usr/share/ecpd/kubernetes/daemon.yaml", mode: 0o644},
				{from: "deploy/kubernetes/ecpd.yaml", to: "/usr/share/ecpd/kubernetes/ecpd.yaml", mode: 0o644},
				{from: "deploy/kubernetes/kustomization.yaml", to: "/usr/share/ecpd/kubernetes/kustomization.yaml",
					mode: 0o644},
				{from: "deploy/grafana/ecpd.json", to: "/usr/share/ecpd/grafana/ecpd.json", mode: 0o644},
			}...)
		},
	},
	{
		name: "emqxee-agent", small: true, scripts: "deploy/packages/emqxee-agent",
		summary: "agent that connects EMQX Enterprise to OpenECP\n" +
			"The agent runs beside an EMQX broker, dials an OpenECP server, and registers the\n" +
			"broker's cluster there. Nothing has to be opened towards this host.",
		files: func(_ release, arch string) []file {
			return []file{{from: "agents/emqxee-agent-linux-" + arch, built: true,
				to: "/usr/lib/emqxee-agent/emqxee-agent", mode: 0o755}}
		},
	},
	{
		name: "ecpctl",
		summary: "command line of OpenECP\n" +
			"ecpctl makes, changes, watches and explains EMQX clusters through the API of an\n" +
			"ecpd. It is a plugin of kubectl, too: kubectl openecp.",
		files: func(r release, arch string) []file {
			all := []file{
				{from: arch + "/ecpctl", built: true, to: "/usr/bin/ecpctl", mode: 0o755},
				{from: "ecpctl", to: "/usr/bin/kubectl-openecp", kind: files.TypeSymlink},
				{from: "ecpctl", to: "/usr/bin/kubectl_complete-openecp", kind: files.TypeSymlink},
				{from: "completions/bash", built: true, to: "/usr/share/bash-completion/completions/ecpctl", mode: 0o644},
				{from: "completions/zsh", built: true, to: "/usr/share/zsh/vendor-completions/_ecpctl", mode: 0o644,
					only: "deb"},
				{from: "completions/zsh", built: true, to: "/usr/share/zsh/site-functions/_ecpctl", mode: 0o644,
					only: "rpm"},
				{from: "completions/fish", built: true, to: "/usr/share/fish/vendor_completions.d/ecpctl.fish", mode: 0o644},
			}
			for _, m := range r.pages {
				all = append(all, file{from: "man/" + m.file(), built: true, to: "/usr/share/man/man1/" + m.file(),
					mode: 0o644})
			}
			return all
		},
	},
}

// downloads are the agents that ecpd hands out, with their checksums.
func (r release) downloads(dir string) []file {
	out := []file{{from: "agents/SHA256SUMS", built: true, to: dir + "SHA256SUMS", mode: 0o644}}
	for _, arch := range r.arches {
		name := "emqxee-agent-linux-" + arch
		out = append(out, file{from: "agents/" + name, built: true, to: dir + name, mode: 0o755})
	}
	return out
}

// unit writes the unit of the package, DIR/ecpd.service: that for installs by hand with the
// package's places. What comes before its first section says how to install it by hand.
func (r release) unit(built string) error {
	b, err := os.ReadFile(filepath.Join(r.root, "deploy/systemd/ecpd.service"))
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(string(b), "\n[Unit]\n")
	text = strings.NewReplacer("/usr/local/bin/", "/usr/bin/", "\nEnvironmentFile=",
		"\nEnvironment=ECPD_AGENTS_DIR=/usr/lib/ecpd/agents\nEnvironmentFile=").Replace(text)
	return os.WriteFile(filepath.Join(built, "ecpd.service"), []byte("[Unit]\n"+text), 0o644)
}

// packages makes each package for each architecture.
func (r release) packages(_ context.Context, built string) error {
	if err := r.unit(built); err != nil {
		return fmt.Errorf("make the unit of ecpd: %w", err)
	}
	for _, p := range packs {
		arches := r.daemons()
		if p.small {
			arches = r.arches
		}
		for _, arch := range arches {
			for _, format := range []string{"deb", "rpm"} {
				if err := r.pack(p, built, arch, format); err != nil {
					return fmt.Errorf("make the %s of %s for %s: %w", format, p.name, arch, err)
				}
			}
		}
	}
	return nil
}

func (r release) pack(p pack, built, arch, format string) (err error) {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: p.name, Arch: packageArch(arch), Platform: "linux", Version: r.version, VersionSchema: "semver",
		Section: "net", Priority: "optional", Maintainer: "OpenECP <https://github.com/openecp/openecp>",
		Description: p.summary, Vendor: "OpenECP", Homepage: "https://github.com/openecp/openecp",
		License: "Apache-2.0", MTime: r.date,
	})
	if format == "rpm" {
		info.RPM.BuildHost = "openecp" // not that of whoever builds
	}
	info.Depends = p.needs[format]
	if p.scripts != "" {
		scripts := filepath.Join(r.root, p.scripts)
		info.Scripts = nfpm.Scripts{PostInstall: filepath.Join(scripts, "postinst"),
			PreRemove: filepath.Join(scripts, "prerm"), PostRemove: filepath.Join(scripts, "postrm")}
	}
	all := append(p.files(r, arch), file{from: "CHANGELOG.md", to: "/usr/share/doc/" + p.name + "/CHANGELOG.md", mode: 0o644},
		file{from: "LICENSE", to: "/usr/share/doc/" + p.name + "/copyright", mode: 0o644})
	if format == "rpm" { // which leaves a folder that belongs to no package; dpkg removes it
		all = append(all, foldersOf(p.name, all)...)
	}
	for _, f := range all {
		if f.only != "" && f.only != format {
			continue
		}
		c := &files.Content{Destination: f.to, Type: f.kind, FileInfo: &files.ContentFileInfo{
			Owner: "root", Group: "root", Mode: f.mode, MTime: r.date}}
		switch {
		case f.kind == whole:
		case f.kind == files.TypeSymlink:
			c.Source = f.from
		case f.built:
			c.Source = filepath.Join(built, f.from)
		default:
			c.Source = filepath.Join(r.root, f.from)
		}
		info.Contents = append(info.Contents, c)
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	w, err := os.Create(filepath.Join(r.out, packager.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return packager.Package(info, w)
}

// foldersOf are the folders of a package's own, which have its name or are below one that has,
// but for those that are listed already.
func foldersOf(name string, all []file) (out []file) {
	known := map[string]bool{}
	for _, f := range all {
		known[f.to] = true
	}
	for _, f := range all {
		for dir := path.Dir(f.to); strings.Contains(dir+"/", "/"+name+"/"); dir = path.Dir(dir) {
			if !known[dir] {
				known[dir] = true
				out = append(out, file{to: dir, kind: whole, mode: 0o755})
			}
		}
	}
	return out
}

// packageArch is what nfpm takes: it knows several 32-bit ARMs. Agents are built for ARMv6,
// which Debian calls armel where it has no floating point, so that armhf is the one they run on.
func packageArch(arch string) string {
	if arch == "arm" {
		return "arm7"
	}
	return arch
}
