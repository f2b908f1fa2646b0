// Command extract reads EMQX's own OpenAPI documents and writes, for the calls
// the simulator answers, what their answers are made of: the names of fields,
// their types, and which may not be missing. The documents are their vendor's
// and stay where they are; what is written here is committed.
//
//	go run ./extract -from ../../../shared/emqx/openapi -to testdata
package main

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/openecp/openecp/emqxsim/contract"
)

func main() {
	from := flag.String("from", "../../../shared/emqx/openapi", "folder of the documents, emqx-ee-<version>.json.gz")
	to := flag.String("to", "testdata", "folder to write <version>.json to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "extract:", err)
		os.Exit(1)
	}
}

var documentName = regexp.MustCompile(`^emqx-ee-(.+)\.json\.gz$`)

func run(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		version := documentName.FindStringSubmatch(e.Name())
		if version == nil {
			continue
		}
		doc, err := read(filepath.Join(from, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		b, err := contract.Extract(doc).Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, version[1]+".json"), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func read(name string) (doc map[string]any, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	err = json.NewDecoder(z).Decode(&doc)
	return doc, err
}
