package httpapi

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// quotaEntry is what is written of a quota.
type quotaEntry struct {
	Connections int `json:"connections" required:"false" minimum:"0" doc:"MQTT connections that the clusters may book together; 0 is unlimited"`
}

// quotas are the quotas of organisations or of projects, each below the thing it
// is of.
func (a *api) quotas(path, at, one, word string) resource[ecp.Quota] {
	m := a.manager
	return withEntries(resource[ecp.Quota]{
		path: path, at: at + "/quota", one: one, word: word, refuses: []ecp.Code{ecp.CodeConflict},
		get: m.Directory.Quota,
	}, catalogEntry[ecp.Quota, quotaEntry]{
		revision: func(q *ecp.Quota) *int64 { return &q.Revision },
		form:     func(q ecp.Quota) quotaEntry { return quotaEntry{q.Connections} },
		entry:    func(b quotaEntry, q ecp.Quota) ecp.Quota { q.Connections = b.Connections; return q },
		update: func(ctx context.Context, q ecp.Quota, _ *ecp.Secret) (ecp.Quota, error) {
			return m.Directory.UpdateQuota(ctx, q)
		},
	})
}
