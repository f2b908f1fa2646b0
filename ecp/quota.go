package ecp

import (
	"strings"
)

// Quota is how many connections of the pool the clusters of one organisation,
// or of one project, may book together, so that no tenant uses up what is
// everybody's. Quotas are ceilings: together they may be more than the pool or
// the organisation has, and who has none is bound by these alone.
type Quota struct {
	Of              string `json:"of"`              // "org" or "org/project"; never changes
	Connections     int    `json:"connections"`     // at most; 0 = unlimited
	UsedConnections int    `json:"usedConnections"` // sum over its clusters; kept by the ledger
	Revision        int64  `json:"revision"`        // grows when the limit changes; the ETag
}

// Describe gives kind, key and index.
func (q Quota) Describe() (Kind, string, Index) { return KindQuota, q.Of, Index{} }

// Copy gives q itself: it holds no reference.
func (q Quota) Copy() Payload { return q }

// OfProject reports whether the quota is a project's, not an organisation's.
func (q Quota) OfProject() bool { return strings.Contains(q.Of, "/") }

// What names the quota for people.
func (q Quota) What() string {
	if q.OfProject() {
		return "the quota of the project " + q.Of
	}
	return "the quota of the organisation " + q.Of
}

// SeenBy reports whether a may see what is booked: a project's is for whoever
// may read the project, an organisation's, which tells of all its projects, for
// its administrators.
func (q Quota) SeenBy(a Actor) bool {
	if q.OfProject() {
		return a.May(RightRead, q.Of)
	}
	return a.May(RightProjects, q.Of)
}
