package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

func bundleCommand(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "support-bundle [CLUSTER]", Short: "collect what helps to find a fault of a cluster, or of the daemon",
		Long: "support-bundle writes a tar.gz of what the API tells: versions, health and targets of the daemon;\n" +
			"of a cluster what explains it, its operations, events, alarms and logs. What looks like a password\n" +
			"or a token is left out. What could not be had is in errors.txt.",
		Example: "  ecpctl support-bundle sensors\n  ecpctl support-bundle --file daemon.tar.gz", Args: takes(0, 1),
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			b := &bundle{c: c, at: time.Now()}
			about := "daemon"
			if len(args) == 1 {
				o, err := a.find(cmd.Context(), c, clusterKind, args[0], one.Project)
				if err != nil {
					return err
				}
				about = o.text("id")
				b.cluster(cmd.Context(), about)
			}
			if err := b.daemon(cmd.Context()); err != nil {
				return err
			}
			if file == "" {
				file = about + "-" + b.at.UTC().Format("20060102-150405") + ".tar.gz"
			}
			if err := b.write(file); err != nil {
				return err
			}
			fmt.Fprintln(a.out, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "where to write it; named after the cluster and the time when left out")
	return cmd
}

// bundle is what was collected.
type bundle struct {
	c      *client.Client
	at     time.Time
	files  []bundled
	errors bytes.Buffer
}

type bundled struct {
	name    string
	content []byte
}

// daemon collects what is known of the daemon. Its error is that of a server that cannot
// be asked at all.
func (b *bundle) daemon(ctx context.Context) error {
	var v client.Version
	if err := get(ctx, b.c, "/api/v1/version", &v); err != nil {
		return err
	}
	text, err := json.MarshalIndent(map[string]any{"ecpd": v, "ecpctl": buildInfo(), "at": b.at}, "", "  ")
	b.add("versions.json", text, err)
	for name, path := range map[string]string{
		"ready": "/readyz", "overview": "/api/v1/overview", "pool": "/api/v1/pool", "me": "/api/v1/me",
		"daemons": "/api/v1/daemons", "targets": "/api/v1/kubernetes-targets",
		"images": "/api/v1/images", "sizes": "/api/v1/sizes",
	} {
		b.get(ctx, "daemon/"+name+".json", path)
	}
	return nil
}

// cluster collects what is known of a cluster.
func (b *bundle) cluster(ctx context.Context, id string) {
	path := clusterKind.item(id)
	b.get(ctx, "cluster/cluster.json", path)
	for _, name := range []string{"explain", "nodes", "operations", "stats", "alarms", "agents", "history"} {
		b.get(ctx, "cluster/"+name+".json", path+"/"+name)
	}
	b.get(ctx, "cluster/logs.json", path+"/logs")
	b.events(ctx, id)
}

// eventsTime is how long events are collected: their stream has no end.
const eventsTime = 2 * time.Second

// events collects the changes of a cluster that are still kept.
func (b *bundle) events(ctx context.Context, id string) {
	limited, cancel := context.WithTimeout(ctx, eventsTime)
	defer cancel()
	var out bytes.Buffer
	var err error
	for e, failed := range b.c.Events(limited, client.EventOptions{Since: "0"}) {
		if err = failed; err != nil {
			break
		}
		if e.Key != id && e.Parent != id {
			continue
		}
		line, _ := json.Marshal(e) //nolint:errchkjson // it was read from JSON
		out.Write(append(line, '\n'))
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	b.add("cluster/events.ndjson", out.Bytes(), err)
}

func (b *bundle) get(ctx context.Context, name, path string) {
	answer, err := b.c.Do(ctx, client.Request{Path: path}, nil)
	var out bytes.Buffer
	if err == nil {
		err = json.Indent(&out, answer.Body, "", "  ")
	}
	b.add(name, out.Bytes(), err)
}

func (b *bundle) add(name string, content []byte, err error) {
	if err != nil {
		fmt.Fprintf(&b.errors, "%s: %s\n", name, oneLine(err.Error()))
		return
	}
	b.files = append(b.files, bundled{name, redacted(content)})
}

// secretForm finds what looks like a secret with its name, in JSON and in lines of logs.
var secretForm = regexp.MustCompile(
	`(?i)((?:password|passwd|secret|token|api[_-]?key|authorization|cookie)"?\s*[:=]\s*)` +
		`("(?:[^"\\]|\\.)*"|[^\s,"}\\]+)`)

// redacted returns a text without what looks like a secret.
func redacted(text []byte) []byte {
	return secretForm.ReplaceAllFunc(text, func(found []byte) []byte {
		m := secretForm.FindSubmatch(found)
		value := "(redacted)"
		if strings.HasPrefix(string(m[2]), `"`) {
			value = `"(redacted)"`
		}
		return append(bytes.Clone(m[1]), value...)
	})
}

// write makes the archive, which nobody else may read.
func (b *bundle) write(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(f)
	archive := tar.NewWriter(zip)
	if b.errors.Len() > 0 {
		b.files = append(b.files, bundled{"errors.txt", redacted(b.errors.Bytes())})
	}
	for _, one := range b.files {
		head := &tar.Header{Name: one.name, Mode: 0o600, Size: int64(len(one.content)), ModTime: b.at}
		if err = archive.WriteHeader(head); err == nil {
			_, err = archive.Write(one.content)
		}
		if err != nil {
			break
		}
	}
	if err = errors.Join(err, archive.Close(), zip.Close(), f.Close()); err != nil {
		_ = os.Remove(name) // half an archive helps nobody
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
