package ecp

import "fmt"

// reserve books connections and one cluster in the pool, in the transaction
// of the change they belong to: the pool's record is the point every booking
// goes through.
func reserve(tx Tx, connections, clusters int) error {
	p, version, err := Get[Pool](tx, poolKey)
	if err != nil {
		return err
	}
	if err := p.refuse(connections, clusters); err != nil {
		return err
	}
	p.UsedConnections += connections
	p.UsedClusters += clusters
	return Put(tx, p, version)
}

// refuse says why the pool does not hold what is asked for; nil if it does.
func (p Pool) refuse(connections, clusters int) error {
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
func release(tx Tx, connections, clusters int) error {
	p, version, err := Get[Pool](tx, poolKey)
	if err != nil {
		return err
	}
	p.UsedConnections -= connections
	p.UsedClusters -= clusters
	return Put(tx, p, version)
}

// rebook books another number of connections for a cluster that is there.
func rebook(tx Tx, from, to int) error {
	if from == to {
		return nil
	}
	p, version, err := Get[Pool](tx, poolKey)
	if err != nil {
		return err
	}
	if err := p.refuseMore(from, to); err != nil {
		return err
	}
	p.UsedConnections += to - from
	return Put(tx, p, version)
}

// mayRebook says whether rebook would be refused, and books nothing.
func mayRebook(tx Tx, from, to int) error {
	p, _, err := Get[Pool](tx, poolKey)
	if err != nil || from == to {
		return err
	}
	return p.refuseMore(from, to)
}

// refuseMore says why a cluster cannot have another number of connections;
// giving some back is never refused.
func (p Pool) refuseMore(from, to int) error {
	if to <= from {
		return nil
	}
	p.UsedConnections -= from
	return p.refuse(to, 0)
}

// mayBook says whether anything more can be booked at all.
func (m *Manager) mayBook(tx Tx, from, to int) error {
	p, _, err := Get[Pool](tx, poolKey)
	if err != nil || to <= from {
		return err
	}
	return p.expiredBy(m)
}
