package emqxv5

import "strings"

// defaults are the values of settings that nobody has set. It has the settings that people
// usually change and whose default is the same in all versions from 5.6 on that have the
// setting, according to EMQX's OpenAPI documents.
var defaults = defaultsOf(map[string]string{
	"mqtt": `await_rel_timeout=300s clientid_override=disabled exclusive_subscription=false idle_timeout=15s
		ignore_loop_deliver=false keepalive_check_interval=30s keepalive_multiplier=1.5 max_awaiting_rel=100
		max_clientid_len=65535 max_inflight=32 max_mqueue_len=1000 max_packet_size=1MB max_qos_allowed=2
		max_subscriptions=infinity max_topic_alias=65535 max_topic_levels=128 message_expiry_interval=infinity
		mqueue_default_priority=lowest mqueue_priorities=disabled mqueue_store_qos0=true
		peer_cert_as_clientid=disabled peer_cert_as_username=disabled retain_available=true server_keepalive=disabled
		session_expiry_interval=2h shared_subscription=true shared_subscription_initial_sticky_pick=random
		shared_subscription_strategy=round_robin strict_mode=false upgrade_qos=false use_username_as_clientid=false
		wildcard_subscription=true`,
	"force_shutdown":  `enable=true max_heap_size=32MB max_mailbox_size=1000`,
	"force_gc":        `enable=true bytes=16MB count=16000`,
	"flapping_detect": `enable=false ban_time=5m max_count=15 window_time=1m`,
	"retainer": `enable=true allow_never_expire=true delivery_rate=1000/s max_payload_size=1MB
		max_publish_rate=1000/s msg_clear_interval=0s msg_expiry_interval=0s msg_expiry_interval_override=disabled
		stop_publish_clear_msg=false`,
	"sysmon.os": `cpu_check_interval=60s cpu_high_watermark=80% cpu_low_watermark=60% mem_check_interval=60s
		procmem_high_watermark=5% sysmem_high_watermark=70%`,
	"sysmon.vm": `busy_dist_port=true busy_port=true large_heap=32MB long_gc=disabled long_schedule=240ms
		process_check_interval=30s process_high_watermark=80% process_low_watermark=60%`,
	"alarm":                 `actions=log,publish size_limit=1000 validity_period=24h`,
	"listeners.tcp.default": listenerDefaults, "listeners.ssl.default": listenerDefaults,
	"listeners.ws.default": listenerDefaults, "listeners.wss.default": listenerDefaults,
})

const listenerDefaults = `acceptors=16 enable=true enable_authn=true max_connections=infinity
	max_conn_rate=infinity mountpoint= proxy_protocol=false proxy_protocol_timeout=3s
	zone=default`

func defaultsOf(rows map[string]string) map[string]string {
	all := map[string]string{}
	for prefix, row := range rows {
		for _, pair := range strings.Fields(row) {
			key, value, _ := strings.Cut(pair, "=")
			all[prefix+"."+key] = value
		}
	}
	return all
}
