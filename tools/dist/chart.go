package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// chartFolder is the Helm chart in the checkout.
const chartFolder = "deploy/helm/ecpd"

// chartVersions are the lines of Chart.yaml that a release sets.
var chartVersions = regexp.MustCompile(`(?m)^(version|appVersion): .*$`)

// chart packs the Helm chart as `helm package` does, with the release's version.
func (r release) chart(ctx context.Context, _ string) error {
	list, err := output(ctx, r.root, "git", "ls-files", "--", chartFolder)
	if err != nil {
		return fmt.Errorf("list the files of the chart: %w", err)
	}
	archive := tree{date: r.date, flat: true}
	for name := range strings.Lines(list) {
		name = strings.TrimSpace(name)
		b, err := os.ReadFile(filepath.Join(r.root, name)) // through links: some are files of deploy/kubernetes
		if err != nil {
			return fmt.Errorf("pack the chart: %w", err)
		}
		if name == chartFolder+"/Chart.yaml" {
			b = chartVersions.ReplaceAll(b, []byte(`${1}: "`+r.version+`"`))
		}
		archive.file("ecpd"+strings.TrimPrefix(name, chartFolder), 0o644, b)
	}
	content, err := archive.bytes()
	if err != nil {
		return fmt.Errorf("pack the chart: %w", err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "ecpd-"+r.version+".tgz"), b.Bytes(), 0o644)
}
