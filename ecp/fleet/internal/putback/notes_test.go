package putback

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/stretchr/testify/require"
)

// The plan of put-back says of every setting what becomes of it, and of those that may
// be secrets that it is not known.
func TestSettingsThatArePutBack(t *testing.T) {
	there := derive.Manifest{Spec: &ecp.HostedSpec{
		Config: map[string]string{"mqtt.max_packet_size": "2MB", "mqtt.keepalive_multiplier": "1.5", "mqtt.new": "1"},
	}, Settings: []string{"a.new", "a.secret"}}
	require.Equal(t, []string{
		"the setting a.new is taken away",
		"the setting a.old is set again",
		`the setting mqtt.max_packet_size "2MB" becomes "1MB"`,
		"the setting mqtt.new is taken away",
		"for settings all nodes are replaced, one at a time",
		"whether these settings differ is not known, since values that may be secrets are not kept with the objects: " +
			"a.secret; those recorded are put back, and where they differ all nodes are replaced, one at a time",
	}, settingNotes(there, map[string]string{
		"mqtt.max_packet_size":      "1MB",
		"mqtt.keepalive_multiplier": "1.5",
		"a.secret":                  setting.SealedPrefix + "x",
		"a.old":                     setting.SealedPrefix + "y",
	}))
	require.Empty(t, settingNotes(derive.Manifest{Spec: &ecp.HostedSpec{}}, nil))
	require.Empty(t, settingNotes(derive.Manifest{
		Spec: &ecp.HostedSpec{Config: map[string]string{"mqtt.max_packet_size": "2MB"}},
	}, map[string]string{"mqtt.max_packet_size": "2MB"}))
}
