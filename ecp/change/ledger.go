package change

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// booking is the number of connections of one cluster, which count in the quotas of
// its project and organisation.
type booking struct {
	project     string
	connections int
}

func bookingOf(r ecp.ClusterRecord) booking { return booking{r.Project, r.Booked()} }

// in returns what of a booking counts in the quota of an organisation or project.
func (b booking) in(of string) int {
	if of == b.project || of == (ecp.Project{Path: b.project}).Org() {
		return b.connections
	}
	return 0
}

// Reserve books a new cluster in the pool and in the quotas of its project and
// organisation, in the transaction that stores the cluster. It returns an error if the
// pool or a quota has no room, or if the pool has expired.
func Reserve(tx ecp.Tx, a ecp.Actor, r ecp.ClusterRecord, now time.Time) error {
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil {
		return err
	}
	b := bookingOf(r)
	if err := poolExpired(p, now); err != nil {
		return err
	}
	if err := poolRefuses(p, b.connections, 1); err != nil {
		return err
	}
	p.UsedConnections += b.connections
	p.UsedClusters++
	if err := bookQuotas(tx, a, booking{}, b, true); err != nil {
		return err
	}
	return ecp.Put(tx, p, version)
}

// Release takes a cluster out of the pool and of the quotas it is booked in.
func Release(tx ecp.Tx, r ecp.ClusterRecord) error {
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil {
		return err
	}
	b := bookingOf(r)
	p.UsedConnections -= b.connections
	p.UsedClusters--
	if err := bookQuotas(tx, ecp.Actor{}, b, booking{}, true); err != nil {
		return err
	}
	return ecp.Put(tx, p, version)
}

// Rebook books a cluster that changes: another number of connections, another project,
// or both. Fewer connections are never refused. More of them are refused after the pool
// has expired; a zero now leaves that out.
func Rebook(tx ecp.Tx, a ecp.Actor, before, after ecp.ClusterRecord, now time.Time) error {
	from, to := bookingOf(before), bookingOf(after)
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil || from == to {
		return err
	}
	more := to.connections > from.connections
	if err := poolExpired(p, now); more && err != nil {
		return err
	}
	if err := bookQuotas(tx, a, from, to, true); err != nil || from.connections == to.connections {
		return err
	}
	if err := poolRefusesMore(p, from.connections, to.connections); err != nil {
		return err
	}
	p.UsedConnections += to.connections - from.connections
	return ecp.Put(tx, p, version)
}

// MayRebook returns the error that [Rebook] would return, and books nothing.
func MayRebook(tx ecp.Tx, a ecp.Actor, before, after ecp.ClusterRecord, now time.Time) error {
	from, to := bookingOf(before), bookingOf(after)
	p, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil || from == to {
		return err
	}
	if err := poolExpired(p, now); to.connections > from.connections && err != nil {
		return err
	}
	if err := poolRefusesMore(p, from.connections, to.connections); err != nil {
		return err
	}
	return bookQuotas(tx, a, from, to, false)
}

// bookQuotas replaces one booking by another in every quota that either counts in. With
// store false it only returns the error that this would have. Less is never refused, nor
// is a move within an organisation by the quota of the organisation.
func bookQuotas(tx ecp.Tx, a ecp.Actor, from, to booking, store bool) error {
	field := "spec.connections"
	if from.project != "" && from.project != to.project {
		field = "project"
	}
	for _, of := range quotasOf(from, to) {
		more := to.in(of) - from.in(of)
		if more == 0 {
			continue
		}
		q, version, err := ecp.Get[ecp.Quota](tx, of)
		if errors.Is(err, ecp.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := quotaRefuses(q, tx, a, more, field); err != nil {
			return err
		}
		if q.UsedConnections += more; store {
			if err := ecp.Put(tx, q, version); err != nil {
				return err
			}
		}
	}
	return nil
}

// quotasOf names the quotas that two bookings count in, once each: projects
// before organisations.
func quotasOf(from, to booking) (out []string) {
	orgOf := func(b booking) string { return ecp.Project{Path: b.project}.Org() }
	for _, of := range []string{to.project, from.project, orgOf(to), orgOf(from)} {
		if of != "" && !slices.Contains(out, of) {
			out = append(out, of)
		}
	}
	return out
}

// poolRefuses returns why there is no room in the pool; nil if there is.
func poolRefuses(p ecp.Pool, connections, clusters int) error {
	quota := func(field, format string, args ...any) error {
		return &ecp.Error{Code: ecp.CodeQuotaExceeded, Message: "the pool does not hold what was asked for",
			Fields: []ecp.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
	}
	if p.LargestCluster > 0 && connections > p.LargestCluster {
		return quota("spec.connections", "is %d; one cluster may have at most %d", connections, p.LargestCluster)
	}
	if free := p.Connections - p.UsedConnections; p.Connections > 0 && connections > free {
		return quota("spec.connections", "is %d; %d of %d connections are free", connections, max(free, 0),
			p.Connections)
	}
	if p.Clusters > 0 && clusters > p.Clusters-p.UsedClusters {
		return quota("", "there are %d clusters, no more than %d are allowed; delete one first", p.UsedClusters,
			p.Clusters)
	}
	return nil
}

// poolRefusesMore is poolRefuses for a cluster that exists and gets another number of
// connections. Fewer are never refused.
func poolRefusesMore(p ecp.Pool, from, to int) error {
	if to <= from {
		return nil
	}
	p.UsedConnections -= from
	return poolRefuses(p, to, 0)
}

// poolExpired returns why nothing more can be booked at a time; nil if something can.
func poolExpired(p ecp.Pool, now time.Time) error {
	if p.ExpiresAt.IsZero() || now.Before(p.ExpiresAt) {
		return nil
	}
	return ecp.NewError(ecp.CodeQuotaExceeded, "",
		fmt.Sprintf("the pool expired at %s: nothing more can be booked; have its expiry moved",
			p.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC")))
}
