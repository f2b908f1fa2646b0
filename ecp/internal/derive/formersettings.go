package derive

import (
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// What a record once asked for and does not any more may live on in EMQX, which
// fills in from what it keeps itself. Such settings are remembered until no node
// has their value.

// RememberFormer remembers the settings that are in the older spec and not in the
// newer one, with their values as they are stored: sealed where they may be
// secrets. They take no more room than settings may.
func RememberFormer(st *ecp.Status, older, newer map[string]string) {
	out := map[string]string{}
	room := setting.MaxTotal
	keep := func(settings map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			size := len(key) + len(settings[key])
			_, asked := newer[key]
			_, kept := out[key]
			if asked || kept || size > room {
				continue
			}
			out[key], room = settings[key], room-size
		}
	}
	keep(older)
	keep(st.FormerSettings)
	if len(out) == 0 {
		out = nil
	}
	st.FormerSettings = out
}

// forgetFormer forgets those that no node has the value of any more.
func forgetFormer(st *ecp.Status, seen *SettingsDiff) {
	if seen == nil || len(seen.Ended) == 0 {
		return
	}
	kept := map[string]string{}
	for key, value := range st.FormerSettings {
		if !slices.Contains(seen.Ended, key) {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	st.FormerSettings = kept
}
