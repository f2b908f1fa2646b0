package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// goneSetting is a setting, or all below it, that EMQX does not know from a version on: with a
// key that is not in its schema EMQX does not start.
type goneSetting struct {
	key   string
	since ecp.Version
	do    string
}

// goneSettings are those between 5.6 and 6.2. The sources are EMQX's own schemas of v5.8.9,
// e5.10.4, 6.0.3, 6.1.0 and 6.2.2, and changes/ee/breaking-15496 of 6.0. What a schema still
// has as deprecated is not here, since EMQX takes it and has no use for it: that are of
// durable_sessions idle_poll_interval, heartbeat_interval, renew_streams_interval,
// session_gc_interval and session_gc_batch_size (6.0), and
// retainer.flow_control.batch_deliver_number (6.2).
var goneSettings = []goneSetting{
	{"bridges", version(6, 0, 0), "set connectors, actions and sources in its place"},
	{"durable_queues", version(6, 0, 0), "leave it out: message queues have taken their place"},
	{"durable_storage.messages.n_sites", version(6, 0, 0), "it is called durable_storage.n_sites now"},
	{"durable_storage.messages.local_write_buffer", version(6, 0, 0), "leave it out"},
	{"durable_storage.messages.poll_workers_per_shard", version(6, 0, 0), "leave it out"},
	{"durable_storage.messages.poll_batch_size", version(6, 0, 0), "leave it out"},
	{"durable_storage.messages.layout.bits_per_topic_level", version(6, 0, 0), "leave it out"},
	{"durable_storage.messages.layout.epoch_bits", version(6, 0, 0), "leave it out"},
	{"durable_storage.messages.layout.serialization_schema", version(6, 0, 0), "leave it out"},
	{"sysmon.top", version(6, 1, 0), "leave it out: EMQX watches no single processes any more"},
}

// CheckSettings refuses settings that the cluster's version of EMQX does not know any more.
func CheckSettings(wrong *fault.Fields, rec ecp.ClusterRecord) {
	v, ok := ecp.ParseVersion(rec.Resolved.Image.Version)
	if !ok || v.Major == 4 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(rec.Spec.Hosted.Config)) {
		for _, g := range goneSettings {
			if (key == g.key || strings.HasPrefix(key, g.key+".")) && !v.Before(g.since) {
				wrong.Add("spec.config["+key+"]", "is not known to EMQX %s, nor to any version from %s on: %s",
					rec.Resolved.Image.Version, minor(g.since), g.do)
			}
		}
	}
}
