package fleet_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// v5Key is a key of EMQX's own form with terms that can be read; only EMQX checks the
// signature, which this one has not.
func v5Key(terms ...string) ecp.Secret {
	lines := strings.Join(append([]string{"220111"}, terms...), "\n")
	return ecp.Secret(base64.StdEncoding.EncodeToString([]byte(lines)) + ".c2ln")
}

// prod is the default license for EMQX 5 and later.
var prod = ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true}

// hostedOn asks for a cluster.
func hostedOn(image string, nodes int) fleet.CreateRequest {
	return fleet.CreateRequest{Mode: ecp.Hosted, Name: "x", Spec: spec(image, nodes)}
}

// withLicense gives the catalogue a default license for EMQX 5 and later.
func (r *rig) withLicense(content ecp.Secret) {
	r.t.Helper()
	_, err := r.m.Catalog.Licenses.Create(asSystem(), prod, content)
	require.NoError(r.t, err)
}

// withVersions adds images of versions, which are their ids.
func (r *rig) withVersions(all ...string) {
	r.t.Helper()
	for _, v := range all {
		image := ecp.Image{ID: v, Reference: "emqx/emqx-enterprise:" + v, Version: v}
		_, err := r.m.Catalog.Images.Create(asSystem(), image, "")
		require.NoError(r.t, err)
	}
}

// A cluster goes from 5.8 by way of 5.10 to 6.2, node by node, and its clients come back; what
// EMQX's documents do not allow is refused on the way, and so is every way back.
func TestFromFiveToSix(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		r.withVersions("5.7.2", "5.10.4", "6.0.0")
		r.withLicense(ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		r.run()
		refused := func(c ecp.Cluster, image, says string) {
			t.Helper()
			update := ecp.Update{Patch: json.RawMessage(`{"image":"` + image + `"}`)}
			_, err := c.Do(asSystem(), update)
			require.ErrorIs(t, err, ecp.ErrUnsupported)
			require.ErrorContains(t, err, says)
			_, err = c.Plan(asSystem(), update)
			require.ErrorContains(t, err, says)
		}
		older, op, err := r.m.Create(asSystem(), hostedOn("5.7.2", 1))
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		refused(r.m.Cluster(older.ID), "emqx-ee-6.2.2", "the way to EMQX 6 begins at 5.8.0")

		c, op := r.create("a")
		r.ends(op, ecp.PhaseSucceeded)
		r.settled(c)
		connected := r.clients(c, 6)
		refused(c, "6.0.0", "take 6.0.1 or later")
		refused(c, "five-ten", "take 5.9.1, 5.10.1 or later")
		for _, image := range []string{"5.10.4", "emqx-ee-6.2.2"} {
			plan, err := c.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"` + image + `"}`)})
			require.NoError(t, err)
			unverified := strings.Contains(strings.Join(plan.Notes, " "), "OpenECP was not run on a real one yet")
			require.Equal(t, image == "emqx-ee-6.2.2", unverified, "%q", plan.Notes)
			r.ends(r.change(c, `{"image":"`+image+`"}`), ecp.PhaseSucceeded)
			r.settled(c)
			version := strings.TrimPrefix(image, "emqx-ee-")
			require.Equal(t, []string{"0 " + version, "1 " + version, "2 " + version}, r.members(c))
			r.until("all clients are back", func() bool { return connected() == 6 },
				func() any { return r.sim.Cluster(c.ID()).Usage() })
			require.Equal(t, ecp.Running, r.get(c).Status.State)
		}
		require.True(t, r.get(c).Resolved.Image.Unverified)
		refused(c, "5.10.4", "does not go back to an earlier major version")
		refused(c, "emqx-ee-5.8.9", "does not go back to an earlier major version")
	})
}

// A version that EMQX would not start with under the cluster's license is refused, at the
// creation and later, and a license under which a cluster could not start is not taken.
func TestLicensesThatStopABoot(t *testing.T) {
	community := v5Key("2", "11", "Developer", "a@example.org", "default", "19991101", "9999", "100")
	expired := v5Key("0", "10", "Evaluation", "a@example.org", "default", "19981101", "30", "25")
	for _, c := range []struct {
		name          string
		content       ecp.Secret
		nodes         int
		image, change string
		says          string
	}{
		{"community, created", community, 2, "emqx-ee-6.2.2", "", "for one node"},
		{"community, changed", community, 2, "emqx-ee-5.8.9", "5.10.4", "for one node"},
		{"community, grown", community, 1, "emqx-ee-5.8.9", "", ""},
		{"expired, created", expired, 1, "emqx-ee-6.2.2", "", "lets no client in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.withSecrets()
				r.withVersions("5.10.4")
				r.withLicense(c.content)
				r.run()
				info, op, err := r.m.Create(asSystem(), hostedOn(c.image, c.nodes))
				if c.says != "" && c.change == "" {
					require.ErrorIs(t, err, ecp.ErrInvalid)
					require.ErrorContains(t, err, `spec.image: does not go with the license "prod": EMQX 6.2.2`)
					require.ErrorContains(t, err, c.says)
					require.Zero(t, r.pool().UsedClusters)
					return
				}
				require.NoError(t, err)
				r.ends(op, ecp.PhaseSucceeded)
				cluster := r.m.Cluster(info.ID)
				r.settled(cluster)
				if c.change != "" {
					_, err = cluster.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"` + c.change + `"}`)})
					require.ErrorContains(t, err, c.says)
					return
				}
				r.ends(r.change(cluster, `{"image":"5.10.4"}`), ecp.PhaseSucceeded)
				_, err = cluster.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"nodes":2}`)})
				require.ErrorContains(t, err, "for one node")
			})
		})
	}
}

// A license is compared with every cluster that uses it, also with those that do not run.
func TestALicenseThatStopsABootIsNotTaken(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		r.withLicense(ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		r.run()
		info, op, err := r.m.Create(asSystem(), hostedOn("emqx-ee-6.2.2", 3))
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		c := r.m.Cluster(info.ID)
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		community := v5Key("2", "11", "Developer", "a@example.org", "default", "19991101", "9999", "100")
		_, err = r.m.Catalog.Licenses.Update(asSystem(), prod, &community)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		require.ErrorContains(t, err, "content: is refused: EMQX 6.2.2: it is a community license")
	})
}

// TestSettingsThatSixDoesNotKnow are refused before anything is changed, with their fields.
func TestSettingsThatSixDoesNotKnow(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.withSecrets()
		r.withLicense(ecp.Secret(emqxsim.LicenseKey(emqxsim.License{Limit: 1000})))
		r.run()
		old := map[string]string{"sysmon.top.num_items": "5", "mqtt.max_packet_size": "2MB"}
		refused := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, ecp.ErrInvalid)
			require.ErrorContains(t, err, "spec.config[sysmon.top.num_items]: is not known to EMQX 6.2.2")
		}
		six := hostedOn("emqx-ee-6.2.2", 1)
		six.Spec.Hosted.Config = old
		_, _, err := r.m.Create(asSystem(), six)
		refused(err)

		eight := hostedOn("emqx-ee-5.8.9", 1)
		eight.Spec.Hosted.Config = old
		info, op, err := r.m.Create(asSystem(), eight)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		c := r.m.Cluster(info.ID)
		_, err = c.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"emqx-ee-6.2.2"}`)})
		refused(err)
		_, err = c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":"emqx-ee-6.2.2"}`)})
		refused(err)
		r.ends(r.change(c, `{"image":"emqx-ee-6.2.2","config":{"sysmon.top.num_items":null}}`), ecp.PhaseSucceeded)
	})
}
