package emqxhttp

import (
	"errors"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestNeedIn(t *testing.T) {
	lines := Need{Since: []string{"5.8.9", "5.10.3", "6.2.0"}}
	for _, c := range []struct {
		need    Need
		version string
		has     bool
	}{
		{Need{}, "4.4.6", true},
		{Need{Since: []string{"5.7.0"}}, "5.6.9", false},
		{Need{Since: []string{"5.7.0"}}, "5.7.0", true},
		{Need{Since: []string{"5.7.0"}}, "5.10.1", true},
		{Need{Since: []string{"5.7.0"}}, "6.0.0", true},
		{lines, "5.7.9", false}, {lines, "5.8.8", false}, {lines, "5.8.9", true}, {lines, "5.8.10", true},
		{lines, "5.9.9", false}, {lines, "5.10.2", false}, {lines, "5.10.3", true},
		{lines, "6.0.9", false}, {lines, "6.1.9", false}, {lines, "6.2.0", true}, {lines, "6.3.1", true},
		{lines, "7.0.0", true},
		{Need{Until: "6.0.0"}, "5.10.4", true}, {Need{Until: "6.0.0"}, "6.0.0", false}, {Need{Until: "6.0.0"}, "6.1.2",
			false},
		{lines, "", true}, // not known
	} {
		v, _ := ecp.ParseVersion(c.version)
		require.Equal(t, c.has, c.need.In(v), "%s in %s", c.need, c.version)
	}
}

func TestNeedMet(t *testing.T) {
	n := Need{Since: []string{"5.6.0"}, Edition: ecp.EditionEnterprise}
	for _, c := range []struct {
		version, edition string
		met              bool
	}{
		{"5.6.0", "enterprise", true}, {"5.6.0", "", true}, {"", "", true},
		{"5.5.9", "enterprise", false}, {"5.8.0", "opensource", false}, {"", "opensource", false},
	} {
		require.Equal(t, c.met, n.Met(c.version, c.edition), "%s %s", c.version, c.edition)
	}
}

// TestLacks: the error names what was found and what is needed.
func TestLacks(t *testing.T) {
	c := over(t, nil)
	for _, row := range []struct {
		what, version, edition string
		need                   Need
		says                   string
	}{
		{"", "4.4.19", "opensource", Need{Since: []string{"4.4.6"}, Edition: "enterprise"},
			"found open-source EMQX 4.4.19; needed EMQX Enterprise 4.4.6 or later"},
		{"a limit", "5.6.1", "enterprise", Need{Since: []string{"5.7.0"}}, "a limit: found EMQX Enterprise 5.6.1; " +
			"needed EMQX 5.7.0 or later"},
		{"", "5.9.1", "", Need{Since: []string{"5.8.9", "5.10.3", "6.2.0"}}, "found EMQX 5.9.1; needed EMQX 5.8.9, " +
			"5.10.3 or 6.2.0 or later"},
		{"", "6.0.0", "", Need{Until: "6.0.0"}, "found EMQX 6.0.0; needed EMQX, before 6.0.0"},
	} {
		err := c.NeedError(row.what, row.version, row.edition, row.need)
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.ErrorContains(t, err, row.says)
	}
}

func TestLowestRunning(t *testing.T) {
	require.Equal(t, "5.8.9", LowestRunning(ecp.Description{Version: "5.10.0", Nodes: []ecp.BrokerNode{
		{Status: ecp.NodeRunning, Version: "5.10.0"}, {Status: ecp.NodeRunning, Version: "5.8.9"},
		{Status: ecp.NodeStopped, Version: "5.6.0"}, {Status: ecp.NodeRunning},
	}}))
	require.Equal(t, "5.8.9", LowestRunning(ecp.Description{Version: "5.8.9"}))
}

// TestDeny: what the broker said is in the chain, with and without another
// cause, and an error of the domain is a cause as it is.
func TestDeny(t *testing.T) {
	c := over(t, nil)
	for _, why := range []error{nil, errors.New("because")} {
		err := c.Deny(ecp.CodeConflict, "no", ecp.BrokerError{Code: "BUSY", Message: login.Password}, why)
		var said *ecp.BrokerError
		require.ErrorAs(t, err, &said)
		require.Equal(t, &ecp.BrokerError{Code: "BUSY", Message: "[redacted]"}, said)
		require.NotPanics(t, func() { _ = errors.Unwrap(err).Error() })
	}
	err := c.Fail(ecp.CodeUnsupported, "no", ecp.ErrLicenseNotBusinessCritical)
	require.ErrorIs(t, err, ecp.ErrLicenseNotBusinessCritical)
}
