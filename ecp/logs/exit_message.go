package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/internal/emqxlog"
)

// A setting or a license that EMQX refuses ends it at its start. Kubernetes knows
// only that the container ends again and again; why stands in EMQX's log.

// The measures of reading it.
const (
	exitMessageTimeout = 5 * time.Second
	exitMessageLines   = 60  // lines
	maxExitMessage     = 400 // bytes that are shown
)

// AddExitMessages puts what EMQX said before it ended beside what Kubernetes says of a node
// that does not start. The log is read once for each end.
func (m *Reader) AddExitMessages(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot) {
	reader, ok := p.(ecp.LogReader)
	if !ok || rec.Deleting {
		return
	}
	snap.Found.Nodes = slices.Clone(snap.Found.Nodes) // others may hold the list
	for i := range snap.Found.Nodes {
		n := &snap.Found.Nodes[i]
		if !n.Broken || n.Restarts == 0 {
			continue
		}
		of := fmt.Sprint(n.PodUID, " ", n.Restarts)
		words, known := mem.ExitMessages[n.Pod]
		if !known || words.Of != of {
			said, err := m.readExitMessage(ctx, p, reader, rec, n.Name)
			if err != nil {
				continue
			}
			words = observed.ExitMessage{Of: of, Text: said}
			if mem.ExitMessages == nil {
				mem.ExitMessages = map[string]observed.ExitMessage{}
			}
			mem.ExitMessages[n.Pod] = words
		}
		if strings.Contains(words.Text, catalog.WrongProcessor) &&
			!strings.Contains(n.Message, catalog.WrongProcessor) {
			n.Message = strings.TrimSuffix(words.Text+": "+catalog.OtherProcessors+"; "+n.Message, "; ")
		} else if words.Text != "" {
			n.Message = strings.TrimSuffix("EMQX says: "+words.Text+"; "+n.Message, "; ")
		}
	}
}

func (m *Reader) readExitMessage(ctx context.Context, p ecp.Provisioner, reader ecp.LogReader, rec ecp.ClusterRecord,
	node string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, exitMessageTimeout)
	defer cancel()
	r := podLogs{m: m, op: "read log of " + node, id: rec.ID, platform: p, reader: reader}
	body, err := r.body(ctx, node, ecp.LogOptions{Tail: exitMessageLines})
	if err != nil {
		return "", err
	}
	defer body.Close()
	var lines []string
	err = takeLines(body, func(l takenLine) bool {
		lines = append(lines, l.text)
		return len(lines) < 2*exitMessageLines
	})
	return exitMessage(lines), err
}

// refusalTexts are the words with which EMQX refuses its configuration or license at a
// start, the most telling first.
var refusalTexts = []string{
	catalog.WrongProcessor, // said of EMQX, by the kernel
	"validation_error", "bad_license_format", "license_parse_error", "scan_error", "parse_error", "translation_error",
	"failed_to_check_schema", "unknown_fields", "Conf file", "cuttlefish", "Failed to merge schema",
}

// exitMessage finds in the last lines of a log what EMQX said of its end: what
// refuses its configuration, else the last error; empty means neither.
func exitMessage(lines []string) string {
	var last string
	best := len(refusalTexts)
	for _, line := range lines {
		e := emqxlog.Parse(line)
		for i, word := range refusalTexts[:best] {
			if strings.Contains(line, word) {
				best, last = i, line
				break
			}
		}
		normalEnd := strings.Contains(line, "received_terminate_signal")
		if best == len(refusalTexts) && e.Level.AtLeast(emqxlog.Error) && !normalEnd {
			last = line
		}
	}
	if e := emqxlog.Parse(last); e.Level != "" {
		if _, after, ok := strings.Cut(last, "["+string(e.Level)+"] "); ok {
			last = after
		}
	}
	last = strings.Join(strings.Fields(last), " ")
	if len(last) > maxExitMessage {
		last = strings.ToValidUTF8(last[:maxExitMessage], "") + "…"
	}
	return last
}
