package change

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// booking is what one cluster has booked, and for which project.
type booking struct {
	project     string
	connections int
	clusters    int
}

// BookingOf returns what a cluster books.
func BookingOf(r ecp.ClusterRecord) booking {
	return booking{r.Project, r.Booked(), 1}
}

// In is what of a booking counts in the quota of an organisation or project.
func (b booking) In(of string) int {
	if of == b.project || of == (ecp.Project{Path: b.project}).Org() {
		return b.connections
	}
	return 0
}

// Reserve books a new cluster in the pool and in the quotas it counts in, in the
// transaction of the change it belongs to: the pool's record is the point every
// booking goes through.
func Reserve(tx ecp.Tx, a ecp.Actor, b booking) error {
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil {
		return err
	}
	if err := poolRefuses(p, b.connections, b.clusters); err != nil {
		return err
	}
	p.UsedConnections += b.connections
	p.UsedClusters += b.clusters
	if err := bookQuotas(tx, a, booking{}, b, true); err != nil {
		return err
	}
	return ecp.Put(tx, p, version)
}

// bookQuotas books in every quota what a cluster has there afterwards in place of
// what it had before, or only says whether that would be refused. Less is never
// refused, nor is what moves within an organisation in the organisation's quota.
func bookQuotas(tx ecp.Tx, a ecp.Actor, from, to booking, book bool) error {
	field := "spec.connections"
	if from.project != "" && from.project != to.project {
		field = "project"
	}
	for _, of := range quotasOf(from, to) {
		more := to.In(of) - from.In(of)
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
		if q.UsedConnections += more; book {
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
	for _, of := range []string{to.project, from.project, ecp.Project{Path: to.project}.Org(), ecp.Project{Path: from.project}.Org()} {
		if of != "" && !slices.Contains(out, of) {
			out = append(out, of)
		}
	}
	return out
}

// poolRefuses says why the pool does not hold what is asked for; nil if it does.
func poolRefuses(p ecp.Pool, connections, clusters int) error {
	quota := func(field, format string, args ...any) error {
		return &ecp.Error{Code: ecp.CodeQuotaExceeded, Message: "the pool does not hold what was asked for",
			Fields: []ecp.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
	}
	if p.LargestCluster > 0 && connections > p.LargestCluster {
		return quota("spec.connections", "is %d; one cluster may have at most %d", connections, p.LargestCluster)
	}
	if free := p.Connections - p.UsedConnections; p.Connections > 0 && connections > free {
		return quota("spec.connections", "is %d; %d of %d connections are free", connections, max(free, 0), p.Connections)
	}
	if p.Clusters > 0 && clusters > p.Clusters-p.UsedClusters {
		return quota("", "there are %d clusters, no more than %d are allowed; delete one first", p.UsedClusters, p.Clusters)
	}
	return nil
}

// Release gives back what a cluster has booked.
func Release(tx ecp.Tx, b booking) error {
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil {
		return err
	}
	p.UsedConnections -= b.connections
	p.UsedClusters -= b.clusters
	if err := bookQuotas(tx, ecp.Actor{}, b, booking{}, true); err != nil {
		return err
	}
	return ecp.Put(tx, p, version)
}

// Rebook books what a cluster that is there has from now on: another number of
// connections, or the same for another project.
func Rebook(tx ecp.Tx, a ecp.Actor, from, to booking) error {
	if from == to {
		return nil
	}
	if err := bookQuotas(tx, a, from, to, true); err != nil || from.connections == to.connections {
		return err
	}
	p, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil {
		return err
	}
	if err := poolRefusesMore(p, from.connections, to.connections); err != nil {
		return err
	}
	p.UsedConnections += to.connections - from.connections
	return ecp.Put(tx, p, version)
}

// MayRebook says whether rebook would be refused, and books nothing.
func MayRebook(tx ecp.Tx, a ecp.Actor, from, to booking) error {
	p, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil || from == to {
		return err
	}
	if err := poolRefusesMore(p, from.connections, to.connections); err != nil {
		return err
	}
	return bookQuotas(tx, a, from, to, false)
}

// poolRefusesMore says why a cluster cannot have another number of connections;
// giving some back is never refused.
func poolRefusesMore(p ecp.Pool, from, to int) error {
	if to <= from {
		return nil
	}
	p.UsedConnections -= from
	return poolRefuses(p, to, 0)
}

// MayBook says whether anything more can be booked at all.
func MayBook(tx ecp.Tx, from, to int, now time.Time) error {
	p, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
	if err != nil || to <= from {
		return err
	}
	return poolExpired(p, now)
}

// poolExpired says why nothing more can be booked at a time; "" if it can.
func poolExpired(p ecp.Pool, now time.Time) error {
	if p.ExpiresAt.IsZero() || now.Before(p.ExpiresAt) {
		return nil
	}
	return ecp.NewError(ecp.CodeQuotaExceeded, "", fmt.Sprintf("the pool expired at %s: nothing more can be booked; have its expiry moved", p.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC")))
}
