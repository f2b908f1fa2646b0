package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// What follows asks a cluster's own broker, now: nothing is kept and nothing is
// given out twice. The actor needs [ecp.RightRead] over the cluster's project. An
// answer takes 20 seconds at most, or it is unavailable, naming every node that
// was asked and why it did not answer. The error is a conflict where the
// cluster's state says that no node runs, and what to do; unsupported where its
// version, edition or license has no such call; denied where EMQX refuses the
// credentials that are kept for it.

// Traffic returns how busy a cluster is now.
func (m *Monitor) Traffic(ctx context.Context, id ecp.ID) (ecp.Traffic, error) {
	return observed.QueryBroker(ctx, m.observed, about("traffic", id, ecp.FeatureMonitoring),
		func(ctx context.Context, b ecp.Monitor) (ecp.Traffic, error) {
			return b.Traffic(ctx)
		})
}

// LongestSeries is how far back traffic is read.
const LongestSeries = 7 * 24 * time.Hour

// TrafficSeries returns how busy a cluster was during the last while, up to
// [LongestSeries], as far as its broker has kept it, oldest first.
func (m *Monitor) TrafficSeries(ctx context.Context, id ecp.ID, last time.Duration) ([]ecp.TrafficSample, error) {
	q := about("traffic", id, ecp.FeatureMonitoring)
	if last <= 0 || last > LongestSeries {
		return nil, q.Invalid("last", fmt.Sprintf("is %s; more than 0 and at most %s are allowed", last, LongestSeries))
	}
	return observed.QueryBroker(ctx, m.observed, q,
		func(ctx context.Context, b ecp.Monitor) ([]ecp.TrafficSample, error) {
			return b.TrafficSeries(ctx, last)
		})
}

// ActiveAlarms lists what is wrong with a cluster now in its broker's eyes, the
// newest first.
func (m *Monitor) ActiveAlarms(ctx context.Context, id ecp.ID) ([]ecp.Alarm, error) {
	return observed.QueryBroker(ctx, m.observed, about("alarms", id, ecp.FeatureAlarms),
		func(ctx context.Context, b ecp.AlarmSource) ([]ecp.Alarm, error) {
			return b.ActiveAlarms(ctx)
		})
}

// AlarmHistory lists what was wrong with a cluster and is over, the newest
// first, as far as its broker has kept it and no more than [ecp.MaxAlarms].
func (m *Monitor) AlarmHistory(ctx context.Context, id ecp.ID) ([]ecp.Alarm, error) {
	return observed.QueryBroker(ctx, m.observed, about("alarms", id, ecp.FeatureAlarms),
		func(ctx context.Context, b ecp.AlarmSource) ([]ecp.Alarm, error) {
			return b.AlarmHistory(ctx)
		})
}

// Rules lists the rules of a cluster's rule engine, by id.
func (m *Monitor) Rules(ctx context.Context, id ecp.ID) ([]ecp.Rule, error) {
	return observed.QueryBroker(ctx, m.observed, about("rules", id, ecp.FeatureIntegrations),
		func(ctx context.Context, b ecp.IntegrationSource) ([]ecp.Rule, error) {
			return b.Rules(ctx)
		})
}

// Integrations lists what leads from a cluster to systems outside, by kind and
// id.
func (m *Monitor) Integrations(ctx context.Context, id ecp.ID) ([]ecp.Integration, error) {
	return observed.QueryBroker(ctx, m.observed, about("integrations", id, ecp.FeatureIntegrations),
		func(ctx context.Context, b ecp.IntegrationSource) ([]ecp.Integration, error) {
			return b.Integrations(ctx)
		})
}

// BrokerLicense returns what a cluster's broker tells of the license it runs under,
// to whoever may read the cluster: never the key, but whose it is.
func (m *Monitor) BrokerLicense(ctx context.Context, id ecp.ID) (ecp.BrokerLicense, error) {
	return observed.QueryBroker(ctx, m.observed, about("license", id, ecp.FeatureMonitoring),
		func(ctx context.Context, b ecp.LicenseManager) (ecp.BrokerLicense, error) {
			return b.License(ctx)
		})
}

// metricsPatience bounds a whole exposition: that of a large cluster takes a
// while.
const metricsPatience = time.Minute

// WriteMetrics copies a cluster's metrics in Prometheus' text format to w as
// they come, and says how many bytes that were. It begins within 20 seconds,
// as every answer does, and ends within a minute if w blocks for no longer. As
// long as nothing was written another node can take over. Where the error is not nil and
// something was written, that is not whole, and whoever serves it on has to say so. A node
// of a hosted EMQX 4 that lacks the plugin for it loads it first.
func (m *Monitor) WriteMetrics(ctx context.Context, id ecp.ID, w io.Writer, s ecp.MetricsScope) (int64, error) {
	return m.writeMetrics(ctx, about("metrics", id, ecp.FeatureMonitoring), w, s)
}

// WriteNodeMetrics is as WriteMetrics for the metrics of one node, by its EMQX name,
// in that node's own words; no other node takes over. It is how all nodes of an EMQX
// 4 are read, each of which knows only itself. Of an adopted cluster the node has to
// have an agent beside it. Not found where the cluster is known to have no such node.
func (m *Monitor) WriteNodeMetrics(ctx context.Context, id ecp.ID, node string, w io.Writer) (int64, error) {
	q := about("metrics", id, ecp.FeatureMonitoring)
	if q.Node = node; node == "" {
		return 0, q.Invalid("node", "is empty")
	}
	return m.writeMetrics(ctx, q, w, ecp.MetricsOfNode)
}

func (m *Monitor) writeMetrics(ctx context.Context, q observed.Query, w io.Writer, s ecp.MetricsScope) (int64, error) {
	if s != ecp.MetricsOfNode && s != ecp.MetricsOfNodes {
		return 0, q.Invalid("scope",
			fmt.Sprintf("is %q; %q and %q are allowed", s, ecp.MetricsOfNode, ecp.MetricsOfNodes))
	}
	ctx, cancel := context.WithTimeout(ctx, metricsPatience)
	defer cancel()
	q.Out = &observed.Stream{W: w}
	_, err := observed.QueryBroker(ctx, m.observed, q, func(ctx context.Context, b ecp.Metrics) (int64, error) {
		n, err := b.WriteMetrics(ctx, q.Out, s)
		loader, ok := b.(ecp.MetricsLoader)
		if !ok || n > 0 || !errors.Is(err, ecp.ErrUnsupported) || !m.hosts(ctx, q) {
			return n, err
		}
		if err := loader.LoadMetrics(ctx); err != nil {
			return 0, err
		}
		return b.WriteMetrics(ctx, q.Out, s)
	})
	return q.Out.N, err
}

// hosts reports whether a cluster is ours, so that what it lacks may be loaded. That is done
// when it is missed and not before: a node comes without it whenever its volume is new.
func (m *Monitor) hosts(ctx context.Context, q observed.Query) bool {
	rec, err := m.observed.LoadReadable(ctx, q.Op, ecp.RightRead, q.ID)
	return err == nil && rec.Mode == ecp.Hosted
}

func about(what string, id ecp.ID, f ecp.Feature) observed.Query {
	return observed.Query{Op: "read " + what + " of " + string(id), ID: id, Feature: f}
}
