package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"time"

	"github.com/openecp/openecp/ecp"
)

// LogLine is one entry of a cluster's logs, or a gap in them where Why is set.
type LogLine struct {
	At      time.Time         `json:"at"`
	Node    string            `json:"node"` // EMQX node name
	Level   ecp.LogLevel      `json:"level"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields"`
	Raw     string            `json:"raw"` // as EMQX wrote it
	Why     string            `json:"why"` // of a gap: why lines are missing
}

// Logs returns the newest lines of a cluster's nodes, oldest first, and then the gaps in
// them. The query is that of the API: level, q, node, since, until, limit.
func (c *Client) Logs(ctx context.Context, id ecp.ID, query url.Values) ([]LogLine, error) {
	var out struct{ Items, Gaps []LogLine }
	_, err := c.Do(ctx, Request{Path: ClustersPath + Path(string(id), "logs"), Query: query}, &out)
	return append(out.Items, out.Gaps...), err
}

// FollowLogs yields lines as they are written, until the context ends or the server says
// that there will be no more. A stream that breaks is taken up at the time of the last line.
func (c *Client) FollowLogs(ctx context.Context, id ecp.ID, query url.Values) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		q := maps.Clone(query)
		if q == nil {
			q = url.Values{}
		}
		q.Set("follow", "true")
		r := Request{Path: ClustersPath + Path(string(id), "logs"), Query: q}
		follow(ctx, c, r, yield, func(f frame) (LogLine, bool, error) {
			var l LogLine
			if f.data == "" {
				return l, false, nil
			}
			if err := json.Unmarshal([]byte(f.data), &l); err != nil {
				return l, false, fmt.Errorf("read a line of the log: %w", err)
			}
			if l.Why == "" && !l.At.IsZero() { // what follows is newer
				q.Set("since", l.At.Add(time.Nanosecond).UTC().Format(time.RFC3339Nano))
			}
			return l, true, nil
		})
	}
}
