package access

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
)

func TestWaysToDashboards(t *testing.T) {
	adopted := func(version, address string) ecp.ClusterRecord {
		return ecp.ClusterRecord{
			ID: "emqx-0a1b2c3d", Mode: ecp.Adopted, Status: ecp.Status{State: ecp.Running, Version: version},
			Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{ServiceAddress: address}},
		}
	}
	hosted := ecp.ClusterRecord{ID: "emqx-0a1b2c3d", Mode: ecp.Hosted, Spec: ecp.Spec{Hosted: &ecp.HostedSpec{}}}
	const address = "https://emqx.example.com"
	none, agent := DashboardWay{}, DashboardWay{Via: ViaAgent}
	direct := DashboardWay{Via: ViaServiceAddress, Address: address}
	for name, c := range map[string]struct {
		rec    ecp.ClusterRecord
		via    DashboardVia
		agents string // the address that agents dial
		want   DashboardWay
		code   ecp.Code
	}{
		"hosted":                       {hosted, "", "", DashboardWay{Via: ViaTarget}, ""},
		"hosted, by its target":        {hosted, ViaTarget, "", DashboardWay{Via: ViaTarget}, ""},
		"hosted, by an agent":          {hosted, ViaAgent, "", none, ecp.CodeUnsupported},
		"no such way":                  {hosted, "ssh", "", none, ecp.CodeInvalid},
		"an address":                   {adopted("5.8.1", address), ViaServiceAddress, "", direct, ""},
		"an address of EMQX 6":         {adopted("6.2.2", address), ViaServiceAddress, "", direct, ""},
		"an address of EMQX 4":         {adopted("4.4.24", address), ViaServiceAddress, "", none, ecp.CodeUnsupported},
		"an address, nothing reported": {adopted("", address), ViaServiceAddress, "", none, ecp.CodeUnsupported},
		"no address":                   {adopted("5.8.1", ""), ViaServiceAddress, "", none, ecp.CodeUnsupported},
		"adopted, by a target":         {adopted("5.8.1", address), ViaTarget, "", none, ecp.CodeUnsupported},
		"by an agent":                  {adopted("5.8.1", address), ViaAgent, "https://a", agent, ""},
		"nowhere for agents to dial":   {adopted("5.8.1", address), ViaAgent, "", none, ecp.CodeUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			clusters := observed.New(observed.Config{
				AgentAddress: c.agents, Now: time.Now, Tick: time.Now, Timings: ecp.Timings{}.WithDefaults(),
			})
			got, err := (&Gateway{clusters}).dashboardWay(c.rec, c.via)
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			require.Equal(t, c.want, got)
		})
	}
}
