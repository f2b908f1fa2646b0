package derive

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/drift"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// mostKeysSaid is how many keys a message names.
const mostKeysSaid = 10

func settingNames(list []drift.Setting) string {
	var words []string
	for i, s := range list {
		if i == mostKeysSaid {
			words = append(words, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

// What to do about each kind.
const (
	differHelp = "EMQX has another value than asked for: %s; it was changed on the broker, and a node that starts " +
		"anew takes the one that is asked for: " + endDrift
	lingerHelp = "EMQX still has the value that is not asked for any more: %s; it keeps it in its cluster.hocon, " +
		"where one change in its dashboard or API puts all settings beside the changed one: " + endDrift
	maybeHelp = "EMQX has the value that is not asked for any more: %s; it may be EMQX' own, or one that it keeps in " +
		"its cluster.hocon: to be sure " + endDrift
	endDrift = "read the cluster's settings drift, and put it back, or take it over into spec.config"
)

func settingsSay(help string, list []drift.Setting) string {
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf(help, settingNames(list))
}

// configured reports whether EMQX runs with the settings that are asked for.
func configured(v View) Verdict {
	seen, limits := v.Snapshot.Settings, v.Snapshot.Limits
	switch {
	case v.Want > 0 && v.settling() == "" && !v.Limited() && limits != nil && limits.Refused:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonLimitDiffers, Message: limits.Why}
	case v.Want > 0 && v.settling() == "" && v.refusedSettings() != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonSettingsDiffer, Message: v.refusedSettings()}
	case seen == nil && len(v.Rec.Spec.Hosted.Config) == 0 && len(v.Rec.Status.FormerSettings) == 0:
		return yes
	case v.Want == 0:
		return notAsked
	case v.settling() != "":
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonInProgress}
	case seen == nil:
		return unchanged
	case seen.NotComparable != "":
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked, Message: seen.NotComparable}
	}
	differ, linger := settingsSay(differHelp, seen.Differ), settingsSay(lingerHelp, seen.Linger)
	switch {
	case differ != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonSettingsDiffer, Message: joinCauses(differ, linger)}
	case linger != "":
		return Verdict{Status: ecp.False, Reason: ecp.ReasonSettingsLinger, Message: linger}
	case seen.Partial:
		return unchanged
	case len(seen.MayLinger) > 0:
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonSettingsLinger,
			Message: settingsSay(maybeHelp, seen.MayLinger)}
	}
	return yes
}

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
func forgetFormer(st *ecp.Status, seen *drift.Diff) {
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
