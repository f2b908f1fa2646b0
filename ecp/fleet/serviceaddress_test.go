package fleet

import (
	"encoding/json"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/stretchr/testify/require"
)

// TestServiceAddressIsCheckedWhenItIsSet: at creation and with each change of it,
// and not when something else changes: what was stored before stays, and the
// cluster goes on.
func TestServiceAddressIsCheckedWhenItIsSet(t *testing.T) {
	const old = "http://127.0.0.1:18083"
	p := newPlant(t)
	_, _, err := p.m.Create(asSystem(), CreateRequest{
		Mode:    ecp.Adopted,
		Project: "a/p",
		Name:    "two",
		Spec:    ecp.Spec{Adopted: &ecp.AdoptedSpec{ServiceAddress: old}},
	})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.ErrorContains(t, err, "spec.serviceAddress: is a loopback address")
	patch := func(text string) error {
		_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Update{Patch: json.RawMessage(text)})
		return err
	}
	require.ErrorIs(t, patch(`{"serviceAddress":"http://[::1]"}`), ecp.ErrInvalid)

	p.m.localServiceAddresses = true
	require.NoError(t, patch(`{"serviceAddress":"`+old+`"}`))
	p.m.localServiceAddresses = false
	require.NoError(t, patch(`{"serviceAddress":"`+old+`"}`), "as it is stored")
	name := "renamed"
	_, err = p.m.Cluster(p.id).Do(asSystem(), ecp.Update{Name: &name, Patch: json.RawMessage(`{"connections":0}`)})
	require.NoError(t, err)
	info, err := p.m.Cluster(p.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, []string{old, name}, []string{info.Spec.Adopted.ServiceAddress, info.Name})
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(0)
	way, err := p.m.Access.OpenDashboard(ecp.WithActor(t.Context(), ann), p.id, "")
	require.NoError(t, err)
	require.Equal(t, access.DashboardWay{Via: access.ViaServiceAddress, Address: old}, way)
	require.ErrorIs(t, patch(`{"serviceAddress":"http://127.0.0.2"}`), ecp.ErrInvalid)
	require.NoError(t, patch(`{"serviceAddress":null}`))
	require.ErrorIs(t, patch(`{"serviceAddress":"`+old+`"}`), ecp.ErrInvalid)
}
