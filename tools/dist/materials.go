package main

import (
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// materials writes a bill of materials of each program, as CycloneDX, from what the Go tool
// has recorded in it. That of ecpd has the libraries of its web console, too.
func (r release) materials(_ context.Context, built string) error {
	libraries, err := consoleLibraries(filepath.Join(r.root, "console/package-lock.json"))
	if err != nil {
		return fmt.Errorf("read what the console is made of: %w", err)
	}
	programs := map[string]string{}
	for _, arch := range r.daemons() {
		programs["ecpd-linux-"+arch] = filepath.Join(built, arch, "ecpd")
		programs["ecpctl-linux-"+arch] = filepath.Join(built, arch, "ecpctl")
	}
	for _, arch := range r.arches {
		programs["emqxee-agent-linux-"+arch] = filepath.Join(built, "agents", "emqxee-agent-linux-"+arch)
	}
	for name, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return fmt.Errorf("read what %s is made of: %w", name, err)
		}
		var more []cyclonedx.Component
		if strings.HasPrefix(name, "ecpd-") {
			more = libraries
		}
		if err := r.bill(filepath.Join(r.out, name+".cdx.json"), name, info, more); err != nil {
			return fmt.Errorf("write the bill of materials of %s: %w", name, err)
		}
	}
	return nil
}

func (r release) bill(to, name string, info *debug.BuildInfo, more []cyclonedx.Component) error {
	components := []cyclonedx.Component{{
		BOMRef: "std", Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
		PackageURL: "pkg:golang/std@" + info.GoVersion[len("go"):],
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		purl := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary,
			Name: m.Path, Version: m.Version, PackageURL: purl})
	}
	components = append(components, more...)
	bom := cyclonedx.NewBOM() // without a serial number, so that the same commit makes the same file
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: r.date.Format("2006-01-02T15:04:05Z"),
		Component: &cyclonedx.Component{BOMRef: name, Type: cyclonedx.ComponentTypeApplication, Name: name,
			Version: r.version, Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
			PackageURL: "pkg:golang/" + info.Main.Path + "@" + r.commit},
	}
	bom.Components = &components
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := cyclonedx.NewBOMEncoder(f, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// lockedPackage is an entry of npm's lock file.
type lockedPackage struct {
	Version     string `json:"version"`
	License     string `json:"license"`
	Integrity   string `json:"integrity"`
	Dev         bool   `json:"dev"`
	DevOptional bool   `json:"devOptional"`
}

// consoleLibraries returns the packages of a lock file that are not only for building and testing.
func consoleLibraries(lockFile string) ([]cyclonedx.Component, error) {
	b, err := os.ReadFile(lockFile)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]lockedPackage `json:"packages"`
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		return nil, err
	}
	var out []cyclonedx.Component
	for folder, p := range lock.Packages {
		name, ok := strings.CutPrefix(folder, "node_modules/")
		if !ok || p.Dev || p.DevOptional {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Integrity, "sha512-"))
		if err != nil || len(sum) != 64 {
			return nil, fmt.Errorf("%s has no SHA-512 sum: %q", name, p.Integrity)
		}
		purl := "pkg:npm/" + strings.ReplaceAll(url.PathEscape(name), "%2F", "/") + "@" + p.Version
		purl = strings.Replace(purl, "pkg:npm/@", "pkg:npm/%40", 1)
		out = append(out, cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: name,
			Version: p.Version, PackageURL: purl,
			Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: p.License}}},
			Hashes:   &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA512, Value: hex.EncodeToString(sum)}}})
	}
	slices.SortFunc(out, func(a, b cyclonedx.Component) int { return strings.Compare(a.PackageURL, b.PackageURL) })
	return out, nil
}
