package ecp

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// booking is what one cluster has booked, and for which project.
type booking struct {
	project     string
	connections int
	clusters    int
}

func bookingOf(r ClusterRecord) booking {
	return booking{r.Project, r.Booked(), 1}
}

// in is what of a booking counts in the quota of an organisation or project.
func (b booking) in(of string) int {
	if of == b.project || of == (Project{Path: b.project}).Org() {
		return b.connections
	}
	return 0
}

// reserve books a new cluster in the pool and in the quotas it counts in, in the
// transaction of the change it belongs to: the pool's record is the point every
// booking goes through.
func reserve(tx Tx, a Actor, b booking) error {
	p, version, err := Get[Pool](tx, poolKey)
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
	return Put(tx, p, version)
}

// bookQuotas books in every quota what a cluster has there afterwards in place of
// what it had before, or only says whether that would be refused. Less is never
// refused, nor is what moves within an organisation in the organisation's quota.
func bookQuotas(tx Tx, a Actor, from, to booking, book bool) error {
	field := "spec.connections"
	if from.project != "" && from.project != to.project {
		field = "project"
	}
	for _, of := range quotasOf(from, to) {
		more := to.in(of) - from.in(of)
		if more == 0 {
			continue
		}
		q, version, err := Get[Quota](tx, of)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := quotaRefuses(q, tx, a, more, field); err != nil {
			return err
		}
		if q.UsedConnections += more; book {
			if err := Put(tx, q, version); err != nil {
				return err
			}
		}
	}
	return nil
}

// quotasOf names the quotas that two bookings count in, once each: projects
// before organisations.
func quotasOf(from, to booking) (out []string) {
	for _, of := range []string{to.project, from.project, Project{Path: to.project}.Org(), Project{Path: from.project}.Org()} {
		if of != "" && !slices.Contains(out, of) {
			out = append(out, of)
		}
	}
	return out
}

// poolRefuses says why the pool does not hold what is asked for; nil if it does.
func poolRefuses(p Pool, connections, clusters int) error {
	quota := func(field, format string, args ...any) error {
		return &Error{Code: CodeQuotaExceeded, Message: "the pool does not hold what was asked for",
			Fields: []FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
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

// release gives back what a cluster has booked.
func release(tx Tx, b booking) error {
	p, version, err := Get[Pool](tx, poolKey)
	if err != nil {
		return err
	}
	p.UsedConnections -= b.connections
	p.UsedClusters -= b.clusters
	if err := bookQuotas(tx, Actor{}, b, booking{}, true); err != nil {
		return err
	}
	return Put(tx, p, version)
}

// rebook books what a cluster that is there has from now on: another number of
// connections, or the same for another project.
func rebook(tx Tx, a Actor, from, to booking) error {
	if from == to {
		return nil
	}
	if err := bookQuotas(tx, a, from, to, true); err != nil || from.connections == to.connections {
		return err
	}
	p, version, err := Get[Pool](tx, poolKey)
	if err != nil {
		return err
	}
	if err := poolRefusesMore(p, from.connections, to.connections); err != nil {
		return err
	}
	p.UsedConnections += to.connections - from.connections
	return Put(tx, p, version)
}

// mayRebook says whether rebook would be refused, and books nothing.
func mayRebook(tx Tx, a Actor, from, to booking) error {
	p, _, err := Get[Pool](tx, poolKey)
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
func poolRefusesMore(p Pool, from, to int) error {
	if to <= from {
		return nil
	}
	p.UsedConnections -= from
	return poolRefuses(p, to, 0)
}

// mayBook says whether anything more can be booked at all.
func mayBook(tx Tx, from, to int, now time.Time) error {
	p, _, err := Get[Pool](tx, poolKey)
	if err != nil || to <= from {
		return err
	}
	return poolExpired(p, now)
}

// poolExpired says why nothing more can be booked at a time; "" if it can.
func poolExpired(p Pool, now time.Time) error {
	if p.ExpiresAt.IsZero() || now.Before(p.ExpiresAt) {
		return nil
	}
	return fail(CodeQuotaExceeded, "", fmt.Sprintf("the pool expired at %s: nothing more can be booked; have its expiry moved", p.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC")))
}
