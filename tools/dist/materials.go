package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/CycloneDX/cyclonedx-go"
)

// materials writes a bill of materials of each program, as CycloneDX, from what the Go tool
// has recorded in it.
func (r release) materials(_ context.Context, built string) error {
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
		if err := r.bill(filepath.Join(r.out, name+".cdx.json"), name, info); err != nil {
			return fmt.Errorf("write the bill of materials of %s: %w", name, err)
		}
	}
	return nil
}

func (r release) bill(to, name string, info *debug.BuildInfo) error {
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
