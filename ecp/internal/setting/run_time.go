package setting

import (
	"slices"
	"strings"
)

// runTimeSettings are the settings of EMQX 5 and 6 that are put into force while EMQX runs. The rows are like those of
// harmlessSettings. They are the roots that the calls /configs/{root}, /configs/global_zone, /mqtt/retainer,
// /mqtt/delayed and /slow_subscriptions/settings of EMQX's API change, whole and without a restart, by its OpenAPI
// documents of 5.6 to 5.8. For any other setting nodes are replaced: EMQX reads it only when it starts (node, cluster,
// rpc, durable_storage, the dashboard's listeners), cuts clients for it (listeners), or does not say.
var runTimeSettings = []string{
	"mqtt.**", "flapping_detect.**", "force_gc.**", "force_shutdown.**",
	"sysmon.**", "alarm.**", "sys_topics.**", "log.console.**", "log.file.**", "log.throttling.**",
	"delayed.**", "slow_subs.**",
	"retainer.enable", "retainer.msg_expiry_interval", "retainer.msg_clear_interval", "retainer.max_payload_size",
	"retainer.stop_publish_clear_msg", "retainer.delivery_rate", "retainer.max_publish_rate",
}

// RunTime reports whether EMQX 5 and 6 can be given another value of a setting while they run.
func RunTime(key string) bool {
	return slices.ContainsFunc(runTimeSettings, func(row string) bool {
		return matchesSetting(strings.Split(row, "."), strings.Split(key, "."))
	})
}

// RunTimeRoots are the settings of RunTime, with empty values: their first words are what EMQX is asked for.
func RunTimeRoots() map[string]string {
	out := map[string]string{}
	for _, row := range runTimeSettings {
		out[row] = ""
	}
	return out
}
